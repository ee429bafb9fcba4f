"""KerasHub's BART of the same shapes, weights random, and its beam search.

It has no Transformer whose weights could be ours: BART's has biases in its attention,
positions that are learned, a normalisation behind the embeddings, and GELU.
"""

import keras_hub
import numpy as np
from case import PAD, START, pad


def build(case, number_format, search):
    dtype, _, compiler = number_format.partition(" ")
    model = build_model(case, search, dtype, jit_compile=compiler == "XLA")

    def translate(texts):
        source_ids = pad(case.encode(texts))  # (B, S)
        target_ids = np.full((len(texts), 1 + search.new_tokens), PAD)  # (B, T)
        target_ids[:, 0] = START
        found = model.generate(
            {
                "encoder_token_ids": source_ids,
                "encoder_padding_mask": source_ids != PAD,
                "decoder_token_ids": target_ids,
                "decoder_padding_mask": target_ids != PAD,
            },
            stop_token_ids=None,
        )
        return [case.decode(ids) for ids in np.array(found["decoder_token_ids"])]

    return translate


def build_model(case, search, dtype, jit_compile):
    config = case.config
    backbone = keras_hub.models.BartBackbone(
        vocabulary_size=config["target_vocab_size"],
        num_layers=config["num_layers"],
        num_heads=config["num_heads"],
        hidden_dim=config["d_model"],
        intermediate_dim=config["d_ff"],
        max_sequence_length=1 + search.new_tokens,
        dtype=dtype,
    )
    model = keras_hub.models.BartSeq2SeqLM(backbone, preprocessor=None)
    sampler = (
        keras_hub.samplers.BeamSampler(num_beams=search.beam_size)
        if search.beam_size > 1
        else keras_hub.samplers.GreedySampler()
    )
    model.compile(sampler=sampler, jit_compile=jit_compile)
    return model
