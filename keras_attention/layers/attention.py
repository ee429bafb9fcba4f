"""softmax(Q K' / sqrt(H)) V, and the heads it is done in: functions without weights."""

import math

import keras
from keras import ops

from keras_attention.layers.accelerators import accelerators

# Far below any score, and finite: softmax of a row of these is no NaN.
MASKED_SCORE = -1e9


def split_heads(x, num_heads):
    """(B, T, N * H) -> (B, N, T, H): each head gets its own share of the width."""
    batch, length = ops.shape(x)[0], ops.shape(x)[1]
    x = ops.reshape(x, (batch, length, num_heads, x.shape[-1] // num_heads))
    return ops.transpose(x, (0, 2, 1, 3))  # (B, N, T, H)


def merge_heads(x):
    """(B, N, T, H) -> (B, T, N * H): the heads' results side by side, in order."""
    batch, length = ops.shape(x)[0], ops.shape(x)[2]
    width = x.shape[1] * x.shape[3]
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, length, width))


def masked_softmax(scores, attention_mask=None):
    """Turn scores into weights that sum to 1 over the keys that may be seen.

    Args:
        scores: (B, N, T, S), float.
        attention_mask: Broadcastable to the scores, bool; True = may attend.

    Returns:
        (B, N, T, S), float32. A query that may see nothing gets weights of zero: it
        must not learn anything from what it may not see, not even an average.
    """
    scores = ops.cast(scores, "float32")
    if attention_mask is None:
        return softmax(scores)
    weights = softmax(ops.where(attention_mask, scores, MASKED_SCORE))
    return ops.where(attention_mask, weights, 0.0)


def softmax(scores):
    """Softmax over the last axis, for a single key, too: that one gets all the weight.

    Keras warns of a softmax over one score, as it would be a mistake in a classifier.
    """
    return ops.ones_like(scores) if scores.shape[-1] == 1 else ops.softmax(scores)


def scaled_dot_product_attention(query, key, value, attention_mask=None, dropout=None):
    """Average the values, each weighted by how well its key fits the query.

    Args:
        query: Q, (B, N, T, H); there may be more axes in front, on all three alike.
        key: K, (B, N, S, H).
        value: V, (B, N, S, H).
        attention_mask: Broadcastable to (B, N, T, S), bool; True = may attend.
        dropout: Called on the weights before the sum, or None.

    Returns:
        context (B, N, T, H), and weights (B, N, T, S) before dropout, both in the
        dtype of the value; the weights sum to 1 over S, or to 0 where nothing may
        be seen.

    Source:
        Vaswani et al., 2017, section 3.2.1, equation 1. Softmax in float32 whatever
        the dtype; dropout on the weights is that of the authors' code, not the paper.
    """
    # Plain products: TensorFlow's Einsum takes twice as long in bfloat16 on a CPU.
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2))  # (B, N, T, S)
    scores = scores / math.sqrt(query.shape[-1])
    weights = ops.cast(masked_softmax(scores, attention_mask), value.dtype)
    kept = weights if dropout is None else dropout(weights)
    return ops.matmul(kept, value), weights


def attention_context(query, key, value, attention_mask=None, dropout=None):
    """Do `scaled_dot_product_attention` where nobody asks for the weights.

    This is the place that decides between the definition and the fused operation of
    the backend, which never writes the weights to memory: fused where that is faster,
    where no weights are to be dropped, which the fused one cannot do, and where it can
    be differentiated.

    Args:
        query, key, value, attention_mask: As for `scaled_dot_product_attention`.
        dropout: Called on the weights before the sum, or None.

    Returns:
        context (B, N, T, H).
    """
    differentiable = fused_has_gradients(query, key, attention_mask)
    if dropout is None and fused_is_faster() and differentiable:
        return fused_attention(query, key, value, attention_mask)
    context, _ = scaled_dot_product_attention(
        query, key, value, attention_mask, dropout
    )
    return context


def fused_is_faster():
    """Whether the backend has flash attention, and may use it, on a GPU or TPU.

    On a GPU it loses nothing on the lengths of sentences, and at 1,024 tokens takes 0.6
    times as long, forward and backward (benchmarks/README.md). TensorFlow has none; on
    a CPU it gains nothing on the lengths of sentences. Where
    `keras.config.disable_flash_attention()` was called, it is left alone.
    """
    allowed = keras.config.is_flash_attention_enabled() is not False  # None is auto
    return allowed and keras.backend.backend() != "tensorflow" and bool(accelerators())


def fused_has_gradients(query, key, attention_mask):
    """Whether the fused operation can be trained through, with these lengths.

    On JAX that of cuDNN has no gradients under a mask where the number of queries or
    of keys is odd. Keras does not ask for that: it would fail in the backward pass.
    """
    if attention_mask is None or keras.backend.backend() != "jax":
        return True
    return query.shape[-2] % 2 == 0 and key.shape[-2] % 2 == 0


def fused_attention(query, key, value, attention_mask=None):
    """Do `scaled_dot_product_attention` in one operation of the backend.

    Flash attention on JAX and torch, where device, dtype and widths allow it; otherwise
    what the backend has instead.

    Args:
        query, key, value, attention_mask: As for `scaled_dot_product_attention`.

    Returns:
        context (B, N, T, H).
    """
    if attention_mask is not None:
        heads = ops.shape(query)[:3]
        shape = (heads[0], 1 if attention_mask.shape[1] == 1 else heads[1], heads[2])
        attention_mask = ops.broadcast_to(
            attention_mask, (*shape, ops.shape(key)[2])
        )  # (B, 1 or N, T, S): some of them take no mask that is to be broadcast
    context = ops.dot_product_attention(
        *(ops.swapaxes(part, 1, 2) for part in (query, key, value)),  # (B, T, N, H)
        mask=attention_mask,
        scale=1 / math.sqrt(query.shape[-1]),
    )
    context = ops.swapaxes(context, 1, 2)  # (B, N, T, H)
    if attention_mask is None:
        return context
    sees_something = ops.any(attention_mask, axis=-1, keepdims=True)
    return ops.where(sees_something, context, ops.zeros((), context.dtype))
