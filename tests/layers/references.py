"""Section 3 of Vaswani et al., 2017, as loops over single numbers: slow, obvious.

And the highway of Srivastava et al., 2015.

In float64. The weights are taken from the layers; nothing else is.
"""

import math

import numpy as np
from keras import ops


def numpy(x):
    """Any float tensor -> a float32 array, which NumPy can compare."""
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def vectors(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def padding_masks(*shape, seed=3):
    """True = may attend; the first position always, the second of sentence 0 never."""
    mask = np.random.default_rng(seed).random(shape) < 0.6
    mask[:, 0], mask[0, 1] = True, False
    return mask


def softmax(scores):
    exponentials = [math.exp(score - max(scores)) for score in scores]
    return [e / sum(exponentials) for e in exponentials]


def weighted_means(score, value, visible):
    """Values (S, H), scored by score(t, s), visible (T, S) -> means (T, H), weights."""
    context = np.zeros((len(visible), value.shape[1]))
    weights = np.zeros(visible.shape)
    for t in range(len(visible)):
        seen = [s for s in range(len(value)) if visible[t, s]]
        if not seen:
            continue
        for s, weight in zip(seen, softmax([score(t, s) for s in seen])):
            weights[t, s] = weight
            context[t] += weight * value[s]
    return context, weights


def attention(query, key, value, visible):
    """Equation 1 for one head: (T, H), (S, H), (S, H), (T, S) -> (T, H), (T, S)."""

    def score(t, s):
        return query[t] @ key[s] / math.sqrt(len(query[t]))

    return weighted_means(score, value, visible)


def multi_head_attention(x, memory, matrices, num_heads, visible):
    """Section 3.2.2 for one sentence: (T, D), (S, M) -> (T, D), and (N, T, S).

    Args:
        matrices: W^Q (D, D), W^K (M, D), W^V (M, D) and W^O (D, D); the columns of
            the first three lie side by side, head after head.
        visible: (T, S), bool.
    """
    query_matrix, key_matrix, value_matrix, output_matrix = matrices
    head_dim = x.shape[1] // num_heads
    contexts, maps = [], []
    for head in range(num_heads):
        columns = slice(head * head_dim, (head + 1) * head_dim)
        context, weights = attention(
            x @ query_matrix[:, columns],
            memory @ key_matrix[:, columns],
            memory @ value_matrix[:, columns],
            visible,
        )
        contexts.append(context)
        maps.append(weights)
    return np.concatenate(contexts, axis=1) @ output_matrix, np.array(maps)


def self_attention_matrices(layer):
    fused = numpy(layer.query_key_value.kernel).astype("float64")
    return [*np.split(fused, 3, axis=1), numpy(layer.output_projection.kernel)]


def cross_attention_matrices(layer):
    fused = numpy(layer.key_value.kernel).astype("float64")
    return [
        numpy(layer.query.kernel),
        *np.split(fused, 2, axis=1),
        numpy(layer.output_projection.kernel),
    ]


def feed_forward(x, layer):
    """Equation 2: max(0, x W1 + b1) W2 + b2."""
    hidden = np.maximum(0, x @ numpy(layer.widen.kernel) + numpy(layer.widen.bias))
    return hidden @ numpy(layer.narrow.kernel) + numpy(layer.narrow.bias)


def layer_norm(x, layer):
    """Each vector (D,) brought to mean 0 and variance 1, then scaled and shifted."""
    rows = []
    for row in x:
        mean = sum(row) / len(row)
        variance = sum((number - mean) ** 2 for number in row) / len(row)
        rows.append((row - mean) / math.sqrt(variance + 1e-6))
    return np.array(rows) * numpy(layer.gamma) + numpy(layer.beta)


def residual(x, sublayer, layer):
    """LayerNorm(x + Sublayer(x)), or x + Sublayer(LayerNorm(x))."""
    if layer.norm_first:
        return x + sublayer(layer_norm(x, layer.norm))
    return layer_norm(x + sublayer(x), layer.norm)


def encoder_layer(x, layer, padding_mask):
    """Figure 1, left, for one sentence: (T, D), (T,) -> (T, D)."""
    visible = np.tile(padding_mask, (len(x), 1))
    matrices = self_attention_matrices(layer.attention)

    def attend(x):
        return multi_head_attention(x, x, matrices, layer.num_heads, visible)[0]

    x = residual(x, attend, layer.attention_residual)
    return residual(
        x, lambda x: feed_forward(x, layer.feed_forward), layer.feed_forward_residual
    )


def decoder_layer(x, memory, layer, x_mask, memory_mask):
    """Figure 1, right, for one sentence: (T, D), (S, M), (T,), (S,) -> (T, D)."""
    earlier = np.tril(np.ones((len(x), len(x)), "bool"))
    visible = earlier & x_mask
    memory_visible = np.tile(memory_mask, (len(x), 1))
    matrices = self_attention_matrices(layer.self_attention)
    memory_matrices = cross_attention_matrices(layer.cross_attention)
    heads = layer.num_heads

    def attend_to_target(x):
        return multi_head_attention(x, x, matrices, heads, visible)[0]

    def attend_to_memory(x):
        return multi_head_attention(x, memory, memory_matrices, heads, memory_visible)[
            0
        ]

    x = residual(x, attend_to_target, layer.self_attention_residual)
    x = residual(x, attend_to_memory, layer.cross_attention_residual)
    return residual(
        x, lambda x: feed_forward(x, layer.feed_forward), layer.feed_forward_residual
    )


def highway(x, layer):
    """Srivastava et al., 2015, equation 3, for one vector (D,), number by number."""
    w_h, b_h = numpy(layer.transform.kernel), numpy(layer.transform.bias)
    w_t, b_t = numpy(layer.gate.kernel), numpy(layer.gate.bias)
    y = []
    for i in range(len(x)):
        h = max(0, sum(x[j] * w_h[j, i] for j in range(len(x))) + b_h[i])
        t = sum(x[j] * w_t[j, i] for j in range(len(x))) + b_t[i]
        t = 1 / (1 + math.exp(-t))
        y.append(h * t + x[i] * (1 - t))
    return y


def randomize(layer, seed=9):
    """Give every weight random values, as gains of 1 and biases of 0 hide mistakes."""
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_variables:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
