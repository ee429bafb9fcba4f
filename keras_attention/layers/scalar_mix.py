"""Vectors of L layers side by side (B, T, L * D) -> their weighted sum (B, T, D)."""

import keras
from keras import ops

from keras_attention.layers.requirements import require_positive, require_rank


@keras.saving.register_keras_serializable(package="keras_attention")
class ScalarMix(keras.layers.Layer):
    """Mix the layers of a model by weights that a task learns.

    gamma * sum over j of s_j h_j, with s = softmax(w). At first all layers count the
    same, and gamma is 1.

    Args:
        num_layers: L, layers in the input.

    Call arguments:
        layers: (B, T, L * D), float: the vectors h_0, h_1, ... of each position, one
            behind the other.

    Returns:
        (B, T, D), float. A padding mask on `layers` passes through unchanged.

    Raises:
        ValueError: If `layers` has not three axes, or its width is no multiple of L.

    Source:
        Peters et al., 2018, section 3.2, equation 1. The normalisation of each layer
        that the section mentions is left out, as it is in the paper's experiments but
        for some.

    Example:

    >>> ScalarMix(num_layers=3)(np.ones((2, 5, 36))).shape
    (2, 5, 12)
    """

    def __init__(self, num_layers, **kwargs):
        super().__init__(**kwargs)
        require_positive(type(self).__name__, num_layers=num_layers)
        self.num_layers = num_layers
        self.supports_masking = True

    def build(self, layers_shape):
        require_rank(self.name, 3, layers=layers_shape)
        require_whole_layers(self.name, layers_shape[-1], self.num_layers)
        self.scores = self.add_weight(
            name="scores", shape=(self.num_layers,), initializer="zeros"
        )
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="ones")

    @property
    def weights_of_layers(self):
        """How much each layer counts: s, (L,), float32; they sum to 1."""
        scores = ops.cast(self.scores, "float32")
        # Keras's softmax warns of one number, as if it were a mistake.
        exponentials = ops.exp(scores - ops.max(scores))
        return exponentials / ops.sum(exponentials)

    def call(self, layers):
        batch, length = ops.shape(layers)[:2]
        width = layers.shape[-1] // self.num_layers
        layers = ops.reshape(layers, (batch, length, self.num_layers, width))
        shares = ops.cast(self.gamma, "float32") * self.weights_of_layers
        return ops.einsum("btld,l->btd", layers, ops.cast(shares, layers.dtype))

    def compute_output_shape(self, layers_shape):
        return (*layers_shape[:-1], layers_shape[-1] // self.num_layers)

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers}


def require_whole_layers(owner, width, num_layers):
    """Raise ValueError unless a width is that of `num_layers` vectors."""
    if width % num_layers:
        raise ValueError(
            f"{owner}: got vectors of width {width} and num_layers={num_layers}, but "
            f"each layer has an equal share of them ({width} / {num_layers} = "
            f"{width / num_layers:g}). Give the num_layers that the encoder has."
        )
