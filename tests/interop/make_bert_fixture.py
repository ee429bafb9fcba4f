"""Write bert_fixture: a tiny model with its heads, and what transformers says of it.

    pip install torch transformers
    python tests/interop/make_bert_fixture.py

The same versions of both write the same folder.
"""

import pathlib

import bert_models

FOLDER = pathlib.Path(__file__).parent / "bert_fixture"

if __name__ == "__main__":
    bert_models.make_folder(
        FOLDER,
        "BertForPreTraining",
        seed=1,
        hidden_size=6,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
    )
