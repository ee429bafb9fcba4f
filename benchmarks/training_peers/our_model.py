"""Our `Transformer` with the sizes of a case."""

import keras_attention as ka


def build_model(config, policy):
    vocab_size = config["vocab_size"]
    return ka.Transformer(
        vocab_size,
        vocab_size,
        share_embeddings=True,
        use_bias=True,
        dtype=policy,
        **config["model"],
    )
