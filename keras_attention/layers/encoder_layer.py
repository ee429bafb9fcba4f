"""Vectors (B, T, D) -> vectors (B, T, D): an encoder layer."""

import keras

from keras_attention.layers.feed_forward import FeedForward
from keras_attention.layers.multi_head_self_attention import MultiHeadSelfAttention
from keras_attention.layers.requirements import require_rate
from keras_attention.layers.residual import Residual


@keras.saving.register_keras_serializable(package="keras_attention")
class EncoderLayer(keras.layers.Layer):
    """Look at the whole sentence, then think about each position on its own.

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
        causal: True hides the future, which makes of it a layer of a decoder that has
            no memory to look at.

    Call arguments:
        x: (B, T, D), float.
        mask: (B, T), bool, True = may attend; taken from `x` where it carries one.

    Returns:
        (B, T, D), float. A padding mask on `x` passes through unchanged.

    Source:
        Vaswani et al., 2017, section 3.1 and figure 1, left; dropout as in section
        5.4, on the output of each sub-layer only. causal: Liu et al., 2018, section
        4.2.3.

    Example:

    >>> EncoderLayer(num_heads=3, d_ff=48)(np.ones((2, 5, 12))).shape
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
        causal=False,
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
        self.causal = causal
        self.supports_masking = True
        policy = self.dtype_policy
        self.attention = MultiHeadSelfAttention(
            num_heads, causal, use_bias=use_bias, dtype=policy, name="attention"
        )
        self.attention_residual = Residual(
            dropout_rate, norm_first, dtype=policy, name="attention_residual"
        )
        self.feed_forward = FeedForward(
            d_ff, activation, dtype=policy, name="feed_forward"
        )
        self.feed_forward_residual = Residual(
            dropout_rate, norm_first, dtype=policy, name="feed_forward_residual"
        )

    def build(self, x_shape):
        self.attention.build(x_shape)
        self.attention_residual.build(x_shape)
        self.feed_forward.build(x_shape)
        self.feed_forward_residual.build(x_shape)

    def call(self, x, mask=None, training=None):
        prepared = self.attention_residual.prepare(x)
        attended = self.attention(prepared, mask=mask, training=training)
        x = self.attention_residual(x, attended, training=training)
        return self.transform(x, training)

    def attend(self, x, mask=None):
        """Do the first half and show it: x (B, T, D) and the weights (B, N, T, T)."""
        prepared = self.attention_residual.prepare(x)
        attended, weights = self.attention(
            prepared, mask=mask, return_attention_scores=True
        )
        return self.attention_residual(x, attended), weights

    def transform(self, x, training=None):
        """Do the second half: the feed-forward network. Returns x (B, T, D)."""
        prepared = self.feed_forward_residual.prepare(x)
        transformed = self.feed_forward(prepared, training=training)
        return self.feed_forward_residual(x, transformed, training=training)

    def empty_cache(self, rows, max_length):
        """Make a cache for `rows` hypotheses, for `step`: see `empty_cache`."""
        return self.attention.empty_cache(rows, max_length)

    def step(self, x, cache, index):
        """Do `call` for one new token, with the earlier ones in the cache.

        Args:
            x: (R, D), float; the token at position `index` of R hypotheses.
            cache: What `empty_cache` or the previous step gave.
            index: Position of the token, from 0; an int or a scalar tensor.

        Returns:
            (R, D), and the cache with this token in it.

        Raises:
            ValueError: If the layer is not causal: then what came before would
                have to look at the new token too.
        """
        prepared = self.attention_residual.prepare(x)
        attended, cache = self.attention.step(prepared, cache, index)
        x = self.attention_residual(x, attended)
        return self.transform(x), cache

    def compute_output_shape(self, x_shape):
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
            "causal": self.causal,
        }
