"""Vectors (B, T, D) -> vectors (B, T, D), each gathered from the whole sentence."""

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
from keras_attention.layers.key_value_cache import empty_cache
from keras_attention.layers.masks import causal_mask, combine_masks, visible_keys
from keras_attention.layers.requirements import (
    require_divisible,
    require_positive,
    require_rank,
    require_rate,
)


@keras.saving.register_keras_serializable(package="keras_attention")
class MultiHeadSelfAttention(keras.layers.Layer):
    """Let every position look at every other and take what it needs.

    Each position asks a query, offers a key and holds a value, all linear in x. In
    each of N heads: weights = softmax(query . keys / sqrt(H)), context = weights .
    values. The heads' contexts, side by side, go through the output projection.

    Args:
        num_heads: N (h in the paper); must divide the width D.
        causal: True hides the future: a position sees itself and what came before.
        dropout_rate: Share of the attention weights dropped in training, in [0, 1).
        use_bias: Add a bias to the projections; the paper's equations have none. That
            of the keys adds the same to all scores of a query, and so changes nothing.

    Call arguments:
        x: (B, T, D), float.
        mask: True = may attend. (B, T) hides padding, and is taken from `x` where it
            carries one; (B, T, T) or (B, N, T, T) says it for each query or head, and
            then says all: combine it with the padding yourself.
        return_attention_scores: True to return the weights as well.

    Returns:
        (B, T, D), float, and with `return_attention_scores` the weights
        (B, N, T, T) too. A padding mask on `x` passes through unchanged. A position
        that may see nothing gets zeros.

    Raises:
        ValueError: If D is not divisible by N, `x` has not three axes, or the mask
            has other than two to four.

    Source:
        Vaswani et al., 2017, section 3.2.2, with d_k = d_v = D / N. The projections
        to queries, keys and values are one matrix (D, 3D), as three side by side.

    Example:

    >>> attention = MultiHeadSelfAttention(num_heads=3, causal=True)
    >>> attention(np.ones((2, 5, 12))).shape
    (2, 5, 12)
    """

    def __init__(
        self, num_heads, causal=False, dropout_rate=0.0, use_bias=False, **kwargs
    ):
        super().__init__(**kwargs)
        require_positive(type(self).__name__, num_heads=num_heads)
        require_rate(type(self).__name__, dropout_rate=dropout_rate)
        self.num_heads = num_heads
        self.causal = causal
        self.dropout_rate = dropout_rate
        self.use_bias = use_bias
        self.supports_masking = True
        self.dropout = Dropout(dropout_rate, dtype=self.dtype_policy)

    def build(self, x_shape):
        require_rank(self.name, 3, x=x_shape)
        d_model = x_shape[-1]
        require_divisible(self.name, d_model, self.num_heads)
        self.query_key_value = Dense(
            3 * d_model,
            use_bias=self.use_bias,
            dtype=self.dtype_policy,
            name="query_key_value",
        )
        self.output_projection = Dense(
            d_model,
            use_bias=self.use_bias,
            dtype=self.dtype_policy,
            name="output_projection",
        )
        self.query_key_value.build(x_shape)
        self.output_projection.build(x_shape)

    def call(self, x, mask=None, training=None, return_attention_scores=False):
        query, key, value = self._project(x)  # (B, N, T, H) each
        attention_mask = self._attention_mask(x, mask)
        dropout = self.dropout.in_training(training)
        if not return_attention_scores:
            context = attention_context(query, key, value, attention_mask, dropout)
            return self.output_projection(merge_heads(context))  # (B, T, D)
        context, weights = scaled_dot_product_attention(
            query, key, value, attention_mask, dropout
        )
        return self.output_projection(merge_heads(context)), weights

    def empty_cache(self, rows, max_length):
        """Make a cache for `rows` hypotheses, for `step`: see `empty_cache`."""
        head_dim = self.output_projection.units // self.num_heads
        return empty_cache(
            rows, max_length, self.num_heads, head_dim, self.compute_dtype
        )

    def step(self, x, cache, index):
        """Do `call` for one new token, with the earlier ones in the cache.

        Args:
            x: (R, D), float; the token at position `index`.
            cache: What `empty_cache` or the previous step gave.
            index: Position of the token, from 0; an int or a scalar tensor.

        Returns:
            (R, D), and the cache with this token in it.

        Raises:
            ValueError: If the layer is not causal: then what came before would
                have to look at the new token too.
        """
        if not self.causal:
            raise ValueError(
                f"{self.name}: got step() on a layer with causal=False, but earlier "
                f"positions would have to see the new token, too. Use causal=True."
            )
        rows, d_model = ops.shape(x)[0], x.shape[-1]
        query, key, value = [
            ops.reshape(part, (rows, self.num_heads, 1, d_model // self.num_heads))
            for part in ops.split(self.query_key_value(x), 3, axis=-1)
        ]  # (R, N, 1, H) each
        cache, known = cache.extend(index, key, value)
        context, _ = scaled_dot_product_attention(query, cache.key, cache.value, known)
        return self.output_projection(ops.reshape(context, (rows, d_model))), cache

    def _project(self, x):
        """Queries, keys and values of all heads, each (B, N, T, H)."""
        projected = ops.split(self.query_key_value(x), 3, axis=-1)  # 3 x (B, T, D)
        return [split_heads(part, self.num_heads) for part in projected]

    def _attention_mask(self, x, mask):
        return combine_masks(
            None if mask is None else visible_keys(self.name, mask),
            causal_mask(ops.shape(x)[1]) if self.causal else None,
        )

    def compute_mask(self, x, previous_mask=None):
        # A mask given for each query says nothing about which positions are padding.
        is_padding = previous_mask is not None and len(previous_mask.shape) == 2
        return previous_mask if is_padding else None

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "causal": self.causal,
            "dropout_rate": self.dropout_rate,
            "use_bias": self.use_bias,
        }
