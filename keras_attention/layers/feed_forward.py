"""Vectors (B, T, D) -> vectors (B, T, D), each position on its own."""

import keras

from keras_attention.layers.dense import Dense
from keras_attention.layers.dropout import Dropout
from keras_attention.layers.requirements import require_positive, require_rate


@keras.saving.register_keras_serializable(package="keras_attention")
class FeedForward(keras.layers.Layer):
    """Widen every position to `d_ff`, apply the activation, and narrow it again.

    FFN(x) = max(0, x W1 + b1) W2 + b2.

    Args:
        d_ff: F, width of the hidden layer (d_ff in the paper).
        activation: Name of a Keras activation, or a function; ReLU in the paper.
        dropout_rate: Share of the hidden units dropped in training, in [0, 1).

    Call arguments:
        x: (B, T, D), float.

    Returns:
        (B, T, D), float. A padding mask on `x` passes through unchanged.

    Source:
        Vaswani et al., 2017, section 3.3, equation 2. The dropout between the two
        projections is that of the authors' code; the paper has none there.

    Example:

    >>> FeedForward(d_ff=48)(np.ones((2, 5, 12))).shape
    (2, 5, 12)
    """

    def __init__(self, d_ff, activation="relu", dropout_rate=0.0, **kwargs):
        super().__init__(**kwargs)
        require_positive(type(self).__name__, d_ff=d_ff)
        require_rate(type(self).__name__, dropout_rate=dropout_rate)
        self.d_ff = d_ff
        self.activation = keras.activations.get(activation)
        self.dropout_rate = dropout_rate
        self.supports_masking = True
        self.widen = Dense(
            d_ff, activation=self.activation, dtype=self.dtype_policy, name="widen"
        )
        self.dropout = Dropout(dropout_rate, dtype=self.dtype_policy)

    def build(self, x_shape):
        self.widen.build(x_shape)
        self.narrow = Dense(x_shape[-1], dtype=self.dtype_policy, name="narrow")
        self.narrow.build((*x_shape[:-1], self.d_ff))

    def call(self, x, training=None):
        hidden = self.widen(x)  # (B, T, F)
        hidden = self.dropout(hidden, training=training)
        return self.narrow(hidden)  # (B, T, D)

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "d_ff": self.d_ff,
            "activation": keras.activations.serialize(self.activation),
            "dropout_rate": self.dropout_rate,
        }
