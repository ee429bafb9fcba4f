"""Vectors (..., D) -> vectors (..., D), of which a gate lets a share pass unchanged."""

import keras

from keras_attention.layers.dense import Dense

# A gate that starts at sigmoid(-2) = 0.12 lets most of the input through.
GATE_BIAS = -2.0


@keras.saving.register_keras_serializable(package="keras_attention")
class Highway(keras.layers.Layer):
    """Transform a part of the input, and carry the rest along.

    y = T(x) * H(x) + (1 - T(x)) * x, with H(x) = ReLU(x W_H + b_H) and the gate
    T(x) = sigmoid(x W_T + b_T).

    Call arguments:
        x: (..., D), float.

    Returns:
        (..., D), float. A padding mask on `x` passes through unchanged.

    Source:
        Srivastava et al., 2015, "Highway Networks", equation 3; b_T starts at -2, one
        of the values of section 2.2, so that the input is carried at first.

    Example:

    >>> Highway()(np.ones((2, 5, 12))).shape
    (2, 5, 12)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, x_shape):
        width, dtype = x_shape[-1], self.dtype_policy
        self.transform = Dense(width, activation="relu", dtype=dtype, name="transform")
        self.gate = Dense(
            width,
            activation="sigmoid",
            bias_initializer=keras.initializers.Constant(GATE_BIAS),
            dtype=dtype,
            name="gate",
        )
        self.transform.build(x_shape)
        self.gate.build(x_shape)

    def call(self, x):
        share = self.gate(x)
        return share * self.transform(x) + (1 - share) * x

    def compute_output_shape(self, x_shape):
        return x_shape
