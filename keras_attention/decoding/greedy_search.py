"""What a model expects next -> its most likely sentence, token by token."""

from collections.abc import Callable

from keras import ops

from keras_attention.decoding.token_buffer import (
    limits_or_default,
    must_end,
    require_one_per_sentence,
    require_room,
    start_buffer,
    write_token,
)
from keras_attention.special_tokens import END, PAD


def greedy_search(
    next_logits: Callable,
    start_ids,
    *,
    end_id: int = END,
    max_length: int,
    length_limits=None,
    cache=(),
):
    """Extend each sentence by its most likely token until all have ended.

    Args:
        next_logits: `(ids (B, T), step, cache) -> (logits (B, V), cache)`; the model,
            seen only through what it expects to follow position `step` (0 at
            first). `ids` is PAD after that position.
        start_ids: (B,), int32; the first token of each sentence.
        end_id: Token that ends a sentence.
        max_length: Length T of the result in tokens, the first and the last one
            included, at least 2. On TensorFlow also a scalar tensor.
        length_limits: (B,), int32; each sentence's own maximum, counted in the same
            way, so that its result does not depend on what else is in the
            batch. The last token that a limit allows is `end_id`.
        cache: Any nested structure of tensors; handed on from step to step, each
            with the same shape and dtype.

    Returns:
        (B, T), int32; PAD after the end of each sentence.

    Raises:
        ValueError: `max_length` below 2; `start_ids` or `length_limits` not of
            shape (B,).
    """
    require_room("greedy_search", max_length)
    start_ids = ops.convert_to_tensor(start_ids, dtype="int32")
    require_one_per_sentence("greedy_search", "start_ids", start_ids)
    limits = limits_or_default(length_limits, start_ids, max_length)
    require_one_per_sentence("greedy_search", "length_limits", limits)

    def unfinished(step, ids, finished, cache):
        return ops.logical_not(ops.all(finished))

    def extend(step, ids, finished, cache):
        logits, cache = next_logits(ids, step, cache)
        tokens = ops.cast(ops.argmax(logits, axis=-1), "int32")  # (B,)
        tokens = ops.where(must_end(step, limits), end_id, tokens)
        ids = write_token(ids, step + 1, ops.where(finished, PAD, tokens))
        return step + 1, ids, ops.logical_or(finished, tokens == end_id), cache

    step = ops.convert_to_tensor(0, dtype="int32")
    ids = start_buffer(start_ids, max_length)  # (B, T)
    finished = ops.zeros_like(start_ids, dtype="bool")
    _, ids, _, _ = ops.while_loop(unfinished, extend, (step, ids, finished, cache))
    return ids
