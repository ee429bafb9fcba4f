"""Layer normalisation, in an order of computing that TensorFlow learns from fast."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_attention")
class LayerNormalization(keras.layers.Layer):
    """Bring the features of each position to mean 0 and variance 1, scale and shift.

        y = gamma * (x - mean(x)) / sqrt(var(x) + epsilon) + beta

    Computed in float32 at least, whatever the compute dtype, and in the order of the
    formula. Keras multiplies out, x * (gamma / s) + (beta - mean * gamma / s): without
    XLA TensorFlow takes nearly twice as long to learn from that, and where the features
    are large and all alike it loses beta. On torch it is Keras's, which is one kernel.

    Args:
        epsilon: Added to the variance, above 0.

    Call arguments:
        x: (B, ..., D), float.

    Returns:
        (B, ..., D), of the compute dtype. A padding mask on `x` passes through unchanged.

    Source:
        Ba, Kiros and Hinton, 2016, "Layer Normalization", section 3. Epsilon 1e-6 is
        that of the authors' code of the Transformer. Departures: none.

    Example:

    >>> LayerNormalization()(np.ones((2, 5, 12))).shape
    (2, 5, 12)
    """

    def __init__(self, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.supports_masking = True

    def build(self, x_shape):
        weight = {"shape": (x_shape[-1],), "autocast": False}
        self.gamma = self.add_weight(name="gamma", initializer="ones", **weight)
        self.beta = self.add_weight(name="beta", initializer="zeros", **weight)

    def call(self, x):
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        x, gamma, beta = [ops.cast(part, dtype) for part in (x, self.gamma, self.beta)]
        if keras.backend.backend() == "torch":
            y = ops.layer_normalization(x, gamma, beta, epsilon=self.epsilon)
        else:
            centred = x - ops.mean(x, axis=-1, keepdims=True)
            variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
            y = centred * ops.rsqrt(variance + self.epsilon) * gamma + beta
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
