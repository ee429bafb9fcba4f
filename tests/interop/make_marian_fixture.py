"""Write marian_fixture: a tiny model, and what transformers says of it.

Run it where torch, transformers and sentencepiece are installed; the same versions of
them write the same folder.
"""

import pathlib

import marian_models

FOLDER = pathlib.Path(__file__).parent / "marian_fixture"
SIZES = {
    "d_model": 8,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 12,
    "decoder_ffn_dim": 12,
}

if __name__ == "__main__":
    job = {
        "folder": FOLDER,
        "make": {"seed": 1, "end_bias": 1.0, **SIZES},
        "texts": marian_models.TEXTS,
        "searches": [{}, {"num_beams": 1}, {"num_beams": 6}],
    }
    marian_models.main([job])
