"""Vectors (B, T, D), memory (B, S, M) -> vectors (B, T, D): a decoder layer."""

import keras

from keras_attention.layers.feed_forward import FeedForward
from keras_attention.layers.multi_head_cross_attention import MultiHeadCrossAttention
from keras_attention.layers.multi_head_self_attention import MultiHeadSelfAttention
from keras_attention.layers.requirements import require_rate
from keras_attention.layers.residual import Residual


@keras.saving.register_keras_serializable(package="keras_attention")
class DecoderLayer(keras.layers.Layer):
    """Look at the target so far, then at the memory, then think about each position.

    Args:
        num_heads: N, attention heads; must divide the width D.
        d_ff: F, width of the feed-forward network.
        dropout_rate: Share of each sub-layer's output dropped in training, in [0, 1)
            (P_drop in the paper).
        norm_first: Normalise the input of each sub-layer instead of the sum behind it.
            A stack of such layers needs one more normalisation at its end.
        use_bias: Add a bias to the attention's projections; the paper has none.
        activation: Name of the feed-forward network's activation in Keras, or a
            function; ReLU in the paper.

    Call arguments:
        x: (B, T, D), float; the target, shifted so that position t holds token t - 1.
        memory: (B, S, M), float; the encoded source.
        x_mask: (B, T), bool, True = may attend; taken from `x` where it carries one.
            The future is hidden in any case.
        memory_mask: (B, S), bool, True = may attend; taken from `memory` likewise.

    Returns:
        (B, T, D), float. A padding mask on `x` passes through unchanged.

    Source:
        Vaswani et al., 2017, section 3.1 and figure 1, right; dropout as in section
        5.4, on the output of each sub-layer only.

    Example:

    >>> layer = DecoderLayer(num_heads=3, d_ff=48)
    >>> layer(np.ones((2, 5, 12)), np.ones((2, 7, 12))).shape
    (2, 5, 12)
    """

    def __init__(
        self,
        num_heads,
        d_ff,
        dropout_rate=0.1,
        norm_first=False,
        use_bias=False,
        activation="relu",
        **kwargs,
    ):
        super().__init__(**kwargs)
        require_rate(type(self).__name__, dropout_rate=dropout_rate)
        self.num_heads = num_heads
        self.d_ff = d_ff
        self.dropout_rate = dropout_rate
        self.norm_first = norm_first
        self.use_bias = use_bias
        self.activation = keras.activations.get(activation)
        self.supports_masking = True
        policy = self.dtype_policy
        self.self_attention = MultiHeadSelfAttention(
            num_heads,
            causal=True,
            use_bias=use_bias,
            dtype=policy,
            name="self_attention",
        )
        self.self_attention_residual = Residual(
            dropout_rate, norm_first, dtype=policy, name="self_attention_residual"
        )
        self.cross_attention = MultiHeadCrossAttention(
            num_heads, use_bias=use_bias, dtype=policy, name="cross_attention"
        )
        self.cross_attention_residual = Residual(
            dropout_rate, norm_first, dtype=policy, name="cross_attention_residual"
        )
        self.feed_forward = FeedForward(
            d_ff, activation, dtype=policy, name="feed_forward"
        )
        self.feed_forward_residual = Residual(
            dropout_rate, norm_first, dtype=policy, name="feed_forward_residual"
        )

    def build(self, x_shape, memory_shape):
        self.self_attention.build(x_shape)
        self.self_attention_residual.build(x_shape)
        self.cross_attention.build(x_shape, memory_shape)
        self.cross_attention_residual.build(x_shape)
        self.feed_forward.build(x_shape)
        self.feed_forward_residual.build(x_shape)

    def call(self, x, memory, x_mask=None, memory_mask=None, training=None):
        prepared = self.self_attention_residual.prepare(x)
        attended = self.self_attention(prepared, mask=x_mask, training=training)
        x = self.self_attention_residual(x, attended, training=training)
        prepared = self.cross_attention_residual.prepare(x)
        attended = self.cross_attention(
            prepared, memory, memory_mask=memory_mask, training=training
        )
        x = self.cross_attention_residual(x, attended, training=training)
        return self.transform(x, training)

    def attend_to_target(self, x, x_mask=None):
        """Do the first third and show it: x (B, T, D) and the weights (B, N, T, T)."""
        prepared = self.self_attention_residual.prepare(x)
        attended, weights = self.self_attention(
            prepared, mask=x_mask, return_attention_scores=True
        )
        return self.self_attention_residual(x, attended), weights

    def attend_to_memory(self, x, memory, memory_mask=None):
        """Do the second third and show it: x (B, T, D) and the weights (B, N, T, S)."""
        prepared = self.cross_attention_residual.prepare(x)
        attended, weights = self.cross_attention(
            prepared, memory, memory_mask=memory_mask, return_attention_scores=True
        )
        return self.cross_attention_residual(x, attended), weights

    def transform(self, x, training=None):
        """Do the last third: the feed-forward network. Returns x (B, T, D)."""
        prepared = self.feed_forward_residual.prepare(x)
        transformed = self.feed_forward(prepared, training=training)
        return self.feed_forward_residual(x, transformed, training=training)

    def step(self, x, cache, index, memory_cache):
        """Do `call` for one new token, with the earlier ones in the cache.

        Args:
            x: (R, D), float; the token at position `index` of R hypotheses.
            cache: What `self_attention.empty_cache` or the previous step gave.
            index: Position of the token, from 0; an int or a scalar tensor.
            memory_cache: What `cross_attention.memory_cache` gave for B sentences; R
                is a multiple of B, the hypotheses of a sentence side by side.

        Returns:
            (R, D), the cache with this token in it, and the weights (R, N, S) of what
            was looked at in the memory.
        """
        prepared = self.self_attention_residual.prepare(x)
        attended, cache = self.self_attention.step(prepared, cache, index)
        x = self.self_attention_residual(x, attended)
        prepared = self.cross_attention_residual.prepare(x)
        attended, weights = self.cross_attention.step(prepared, memory_cache)
        x = self.cross_attention_residual(x, attended)
        return self.transform(x), cache, weights

    def compute_output_shape(self, x_shape, memory_shape):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "d_ff": self.d_ff,
            "dropout_rate": self.dropout_rate,
            "norm_first": self.norm_first,
            "use_bias": self.use_bias,
            "activation": keras.activations.serialize(self.activation),
        }
