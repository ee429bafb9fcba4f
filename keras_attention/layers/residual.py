"""The residual stream, and what a sub-layer adds to it: one place for the order."""

import keras

from keras_attention.layers.dropout import Dropout
from keras_attention.layers.layer_normalization import LayerNormalization
from keras_attention.layers.requirements import require_rate


@keras.saving.register_keras_serializable(package="keras_attention")
class Residual(keras.layers.Layer):
    """Add what a sub-layer made of `x` to `x`, and normalise.

        norm_first=False, the paper:   y = norm(x + dropout(sublayer(x)))
        norm_first=True:               y = x + dropout(sublayer(norm(x)))

    Used in two halves, so that the sub-layer stands in plain sight between them:

        transformed = sublayer(residual.prepare(x))
        x = residual(x, transformed)

    Args:
        dropout_rate: Share of the sub-layer's output dropped in training, in [0, 1)
            (P_drop in the paper).
        norm_first: Normalise the input of the sub-layer (True) or the sum (False).

    Call arguments:
        x: (B, T, D), float; the stream.
        transformed: (B, T, D), float; what the sub-layer made of `prepare(x)`.

    Returns:
        (B, T, D), float. A padding mask on `x` passes through unchanged.

    Source:
        Vaswani et al., 2017, sections 3.1 and 5.4; norm_first: Xiong et al., 2020.
        Epsilon 1e-6 is that of the authors' code; the paper names none.

    Example:

    >>> residual, x = Residual(dropout_rate=0.1), np.ones((2, 5, 12))
    >>> residual(x, 2 * residual.prepare(x)).shape
    (2, 5, 12)
    """

    def __init__(self, dropout_rate=0.1, norm_first=False, **kwargs):
        super().__init__(**kwargs)
        require_rate(type(self).__name__, dropout_rate=dropout_rate)
        self.dropout_rate = dropout_rate
        self.norm_first = norm_first
        self.supports_masking = True
        self.dropout = Dropout(dropout_rate, dtype=self.dtype_policy)
        self.norm = LayerNormalization(dtype=self.dtype_policy, name="norm")

    def build(self, x_shape, transformed_shape=None):
        if not self.norm.built:  # `prepare` may have come first, and built it
            self.norm.build(x_shape)

    def prepare(self, x):
        """What the sub-layer gets to see of the stream, (B, T, D)."""
        return self.norm(x) if self.norm_first else x

    def call(self, x, transformed, training=None):
        x = x + self.dropout(transformed, training=training)
        return x if self.norm_first else self.norm(x)

    def compute_output_shape(self, x_shape, transformed_shape=None):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "dropout_rate": self.dropout_rate,
            "norm_first": self.norm_first,
        }
