"""Vectors (B, T, D), memory (B, S, M) -> vectors (B, T, D) gathered from the memory."""

import keras
from keras import ops

from keras_attention.layers.attention import (
    attention_context,
    merge_heads,
    scaled_dot_product_attention,
    split_heads,
)
from keras_attention.layers.dense import Dense
from keras_attention.layers.dropout import Dropout
from keras_attention.layers.masks import visible_keys
from keras_attention.layers.requirements import (
    require_divisible,
    require_positive,
    require_rank,
    require_rate,
)


@keras.saving.register_keras_serializable(package="keras_attention")
class MultiHeadCrossAttention(keras.layers.Layer):
    """Let every position look at a memory: the decoder at the encoded source.

    As self-attention, but the keys and values come from the memory.

    Args:
        num_heads: N (h in the paper); must divide the width D of `x`.
        dropout_rate: Share of the attention weights dropped in training, in [0, 1).
        use_bias: Add a bias to the projections; the paper's equations have none.

    Call arguments:
        x: (B, T, D), float; what asks.
        memory: (B, S, M), float; what is asked. M may differ from D.
        x_mask: Not used here (padding may ask what it likes); passed on.
        memory_mask: True = may attend. (B, S) hides padding, and is taken from
            `memory` where it carries one; (B, T, S) or (B, N, T, S) says it for each
            query or head.
        return_attention_scores: True to return the weights as well.

    Returns:
        (B, T, D), float, and with `return_attention_scores` the weights
        (B, N, T, S) too. A padding mask on `x` passes through unchanged. Zeros where
        the memory shows nothing.

    Raises:
        ValueError: If D is not divisible by N, `x` or `memory` has not three axes,
            or the mask has other than two to four.

    Source:
        Vaswani et al., 2017, sections 3.2.2 and 3.2.3, with d_k = d_v = D / N. The
        projections to keys and values are one matrix (M, 2D), as two side by side.

    Example:

    >>> attention = MultiHeadCrossAttention(num_heads=3)
    >>> attention(np.ones((2, 5, 12)), np.ones((2, 7, 12))).shape
    (2, 5, 12)
    """

    def __init__(self, num_heads, dropout_rate=0.0, use_bias=False, **kwargs):
        super().__init__(**kwargs)
        require_positive(type(self).__name__, num_heads=num_heads)
        require_rate(type(self).__name__, dropout_rate=dropout_rate)
        self.num_heads = num_heads
        self.dropout_rate = dropout_rate
        self.use_bias = use_bias
        self.supports_masking = True
        self.dropout = Dropout(dropout_rate, dtype=self.dtype_policy)

    def build(self, x_shape, memory_shape):
        require_rank(self.name, 3, x=x_shape, memory=memory_shape)
        d_model = x_shape[-1]
        require_divisible(self.name, d_model, self.num_heads)
        self.query = Dense(
            d_model, use_bias=self.use_bias, dtype=self.dtype_policy, name="query"
        )
        self.key_value = Dense(
            2 * d_model,
            use_bias=self.use_bias,
            dtype=self.dtype_policy,
            name="key_value",
        )
        self.output_projection = Dense(
            d_model,
            use_bias=self.use_bias,
            dtype=self.dtype_policy,
            name="output_projection",
        )
        self.query.build(x_shape)
        self.key_value.build(memory_shape)
        self.output_projection.build(x_shape)

    def call(
        self,
        x,
        memory,
        x_mask=None,
        memory_mask=None,
        training=None,
        return_attention_scores=False,
    ):
        query = split_heads(self.query(x), self.num_heads)  # (B, N, T, H)
        key, value = self._project(memory)  # (B, N, S, H) each
        if memory_mask is not None:
            memory_mask = visible_keys(self.name, memory_mask)
        dropout = self.dropout.in_training(training)
        if not return_attention_scores:
            context = attention_context(query, key, value, memory_mask, dropout)
            return self.output_projection(merge_heads(context))  # (B, T, D)
        context, weights = scaled_dot_product_attention(
            query, key, value, memory_mask, dropout
        )
        return self.output_projection(merge_heads(context)), weights

    def memory_cache(self, memory, memory_mask=None):
        """Compute the keys and values of the memory once, for all later steps.

        Args:
            memory: (B, S, M), float.
            memory_mask: (B, S), bool, True = may attend; None shows everything.

        Returns:
            {"key": (B, N, S, H), "value": (B, N, S, H), "mask": (B, 1, 1, S)}.
        """
        key, value = self._project(memory)
        if memory_mask is None:
            memory_mask = ops.ones(ops.shape(memory)[:2], dtype="bool")
        return {
            "key": key,
            "value": value,
            "mask": visible_keys(self.name, memory_mask),
        }

    def step(self, x, memory_cache):
        """Do `call` for one new token of each hypothesis.

        Args:
            x: (R, D), float; R = B * K, the K hypotheses of a sentence side by side.
                All of them look at the sentence's one memory: nothing is copied K
                times.
            memory_cache: What `memory_cache` gave, for B sentences.

        Returns:
            (R, D), and the weights (R, N, S).
        """
        rows, d_model = ops.shape(x)[0], x.shape[-1]
        sentences, source_length = [ops.shape(memory_cache["key"])[i] for i in (0, 2)]
        query = ops.reshape(self.query(x), (sentences, -1, d_model))  # (B, K, D)
        # As K positions of one sentence, whose keys are read once for all of them.
        context, weights = scaled_dot_product_attention(
            split_heads(query, self.num_heads),  # (B, N, K, H)
            memory_cache["key"],
            memory_cache["value"],
            memory_cache["mask"],
        )
        context = ops.reshape(merge_heads(context), (rows, d_model))
        weights = ops.swapaxes(weights, 1, 2)  # (B, K, N, S)
        weights = ops.reshape(weights, (rows, self.num_heads, source_length))
        return self.output_projection(context), weights

    def _project(self, memory):
        """Keys and values of all heads, each (B, N, S, H)."""
        projected = ops.split(self.key_value(memory), 2, axis=-1)  # 2 x (B, S, D)
        return [split_heads(part, self.num_heads) for part in projected]

    def compute_output_shape(self, x_shape, memory_shape):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout_rate": self.dropout_rate,
            "use_bias": self.use_bias,
        }
