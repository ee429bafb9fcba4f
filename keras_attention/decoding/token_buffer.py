"""Sentences being written: ids (..., T), PAD where nothing stands yet."""

import numbers

from keras import ops

from keras_attention.special_tokens import PAD


def start_buffer(start_ids, max_length):
    """(B,) -> (B, T): the first token of each sentence, then room for the others."""
    positions = ops.arange(max_length, dtype="int32")
    return ops.where(positions == 0, start_ids[:, None], PAD)  # (B, T)


def write_token(ids, position, tokens):
    """Put one token (...) into each sentence (..., T) at the same position.

    A choice over all positions, because `ops.slice_update` becomes an XLA
    operation on TensorFlow, which a server may not have.
    """
    positions = ops.arange(ops.shape(ids)[-1], dtype="int32")
    return ops.where(positions == position, tokens[..., None], ids)


def limits_or_default(length_limits, start_ids, max_length):
    """Return each sentence's maximum length (B,) in tokens, first and last included."""
    longest = ops.zeros_like(start_ids) + ops.cast(max_length, "int32")
    if length_limits is None:
        return longest
    return ops.minimum(ops.convert_to_tensor(length_limits, dtype="int32"), longest)


def must_end(step, length_limits):
    """(B,), True where the token after position `step` is the last one allowed."""
    return step + 2 >= length_limits


def require_room(owner, max_length):
    """Raise ValueError unless a first and a last token fit into `max_length`.

    A tensor is not looked into: inside a graph it has no value yet.
    """
    if isinstance(max_length, numbers.Number) and max_length < 2:
        raise ValueError(
            f"{owner}: got max_length={max_length}, but the first token and the one "
            "that ends the sentence are counted too, so the shortest result has 2. "
            "Use a max_length of at least 2."
        )


def require_one_per_sentence(owner, name, values):
    """Raise ValueError unless `values` has the one axis (B,)."""
    if len(values.shape) != 1:
        raise ValueError(
            f"{owner}: got {name} of shape {tuple(values.shape)}, but it holds one "
            "number for each sentence. Use a tensor of shape (B,)."
        )
