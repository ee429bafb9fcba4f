"""Vectors (B, T, D), memory (B, S, M) -> vectors (B, T, M): scores of a small network."""

import keras
from keras import ops

from keras_attention.layers.dense import Dense
from keras_attention.layers.memory_attention import MemoryAttention
from keras_attention.layers.requirements import require_positive


@keras.saving.register_keras_serializable(package="keras_attention")
class AdditiveAttention(MemoryAttention):
    """Let every position look at a memory, scored by a network with one hidden layer.

        score(x_t, memory_s) = v' tanh(W x_t + U memory_s)
        context_t = sum over s of softmax(score(x_t, memory))_s memory_s

    Args:
        units: A, width of the hidden layer (n' in the paper).

    Call arguments:
        x: (B, T, D), float; what asks, a state of the decoder (s in the paper).
        memory: (B, S, M), float; what is asked, the annotations (h in the paper).
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
        ValueError: If `units` is below 1, `x` or `memory` has not three axes, or the
            mask has other than two to four.

    Source:
        Bahdanau et al., 2015, sections 3.1 and A.1.2. There the query is the state
        before the token, s_{i-1}; here it is whatever `x` holds. Departures: v is drawn
        as the matrices are and not 0 at first, all by Glorot and Bengio, 2010. Softmax
        in float32 whatever the dtype.

    Example:

    >>> attention = AdditiveAttention(units=9)
    >>> attention(np.ones((2, 5, 12)), np.ones((2, 7, 8))).shape
    (2, 5, 8)
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        require_positive(type(self).__name__, units=units)
        self.units = units
        policy = self.dtype_policy
        self.query = Dense(units, use_bias=False, dtype=policy, name="query")
        self.key = Dense(units, use_bias=False, dtype=policy, name="key")
        self.score = Dense(1, use_bias=False, dtype=policy, name="score")

    def build_scores(self, x_shape, memory_shape):
        self.query.build(x_shape)
        self.key.build(memory_shape)
        self.score.build((*x_shape[:-1], memory_shape[1], self.units))

    def scores(self, x, key):
        """(B, T, D) and keys (B, S, A) -> (B, T, S)."""
        query = self.query(x)[:, :, None]  # (B, T, 1, A)
        hidden = ops.tanh(query + key[:, None])  # (B, T, S, A)
        return ops.squeeze(self.score(hidden), axis=-1)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
