"""Vectors (B, T, D), memory (B, S, M) -> vectors (B, T, M): scores of a product."""

import keras
from keras import ops

from keras_attention.layers.dense import Dense
from keras_attention.layers.memory_attention import MemoryAttention


@keras.saving.register_keras_serializable(package="keras_attention")
class MultiplicativeAttention(MemoryAttention):
    """Let every position look at a memory, scored by a product with a learned matrix.

        score(x_t, memory_s) = x_t' W memory_s
        context_t = sum over s of softmax(score(x_t, memory))_s memory_s

    One matrix product scores all pairs, where `AdditiveAttention` computes a hidden
    layer for each.

    Call arguments:
        x: (B, T, D), float; what asks, a state of the decoder (h_t in the paper).
        memory: (B, S, M), float; what is asked (h_s in the paper).
        x_mask: Not used here (padding may ask what it likes); passed on.
        memory_mask: True = may attend. (B, S) hides padding, and is taken from
            `memory` where it carries one; (B, T, S) or (B, 1, T, S) says it for each
            query.
        return_attention_scores: True to return the weights as well.

    Returns:
        (B, T, M), float, and with `return_attention_scores` the weights (B, 1, T, S)
        too, as of one head. A padding mask on `x` passes through unchanged. Zeros
        where the memory shows nothing.

    Raises:
        ValueError: If `x` or `memory` has not three axes, or the mask has other than
            two to four.

    Source:
        Luong et al., 2015, section 3.1, "general". Departures: none. Softmax in
        float32 whatever the dtype.

    Example:

    >>> attention = MultiplicativeAttention()
    >>> attention(np.ones((2, 5, 12)), np.ones((2, 7, 8))).shape
    (2, 5, 8)
    """

    def build_scores(self, x_shape, memory_shape):
        self.key = Dense(
            x_shape[-1], use_bias=False, dtype=self.dtype_policy, name="key"
        )
        self.key.build(memory_shape)

    def scores(self, x, key):
        """(B, T, D) and keys (B, S, D) -> (B, T, S)."""
        return ops.matmul(x, ops.swapaxes(key, -1, -2))
