"""The keys and values of the tokens so far, so that each is computed only once."""

from keras import ops


def empty_cache(rows, max_length, num_heads, head_dim, dtype):
    """Make room for the keys and values of `max_length` tokens.

    Args:
        rows: R, hypotheses; an int or a scalar tensor.
        max_length: T, tokens; an int or a scalar tensor.
        num_heads: N.
        head_dim: H, width of a head.
        dtype: Dtype of the keys.

    Returns:
        {"key": zeros (R, N, T, H), "value": zeros (R, N, T, H)}.
    """
    room = ops.zeros((rows, num_heads, max_length, head_dim), dtype=dtype)
    return {"key": room, "value": room}


def extend_cache(cache, index, key, value):
    """Write the key and value of the token at position `index`, each (R, N, 1, H).

    Every position is selected anew instead of one being sliced in: the slice update
    of `keras.ops` becomes an XLA operation on TensorFlow, which servers may lack.
    """
    length = ops.shape(cache["key"])[2]
    here = (ops.arange(length) == index)[None, None, :, None]  # (1, 1, T, 1)
    return {
        "key": ops.where(here, key, cache["key"]),
        "value": ops.where(here, value, cache["value"]),
    }
