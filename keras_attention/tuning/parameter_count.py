"""The sizes of a Transformer -> how many parameters it has, before there is one."""


def count_parameters(
    *,
    source_vocab_size: int,
    target_vocab_size: int,
    num_layers: int,
    num_decoder_layers: int,
    d_model: int,
    d_ff: int,
    norm_first: bool = False,
    share_embeddings: bool = False,
) -> int:
    """What `Transformer(...).count_params()` would say, without building it.

    With D = d_model and F = d_ff, an attention has 4 D^2 parameters, however many heads
    there are; a feed-forward network 2 D F + F + D; a normalisation 2 D; a vocabulary
    of V tokens V D.

    Args:
        **sizes: As for `Transformer`; all of them integers of at least 1.

    Example:

    >>> sizes = {"num_layers": 4, "num_decoder_layers": 4, "d_model": 128, "d_ff": 256}
    >>> vocabulary = {"source_vocab_size": 1000, "target_vocab_size": 1000}
    >>> count_parameters(**sizes, **vocabulary, share_embeddings=True)
    1446912
    """
    vocabulary = target_vocab_size + (0 if share_embeddings else source_vocab_size)
    attention = 4 * d_model**2
    feed_forward = 2 * d_model * d_ff + d_ff + d_model
    norm = 2 * d_model
    encoder_layer = attention + feed_forward + 2 * norm
    decoder_layer = 2 * attention + feed_forward + 3 * norm
    return (
        vocabulary * d_model
        + num_layers * encoder_layer
        + num_decoder_layers * decoder_layer
        + (2 * norm if norm_first else 0)  # Each stack then ends with one.
    )
