"""Logits (B, T, V) -> logits (B, T, V), each token's with a number of its own."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_attention")
class OutputBias(keras.layers.Layer):
    """Add to the logit of each token how often it is right, whatever is around it.

    For a head whose matrix is that of the token embedding, which brings no bias.

    Call arguments:
        logits: (B, T, V), float.

    Returns:
        (B, T, V), float. A padding mask on `logits` passes through unchanged.

    Source:
        Devlin et al., 2019, the authors' code, `get_masked_lm_output`.

    Example:

    >>> OutputBias()(np.zeros((2, 5, 13))).shape
    (2, 5, 13)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, logits_shape):
        self.bias = self.add_weight(
            name="bias", shape=(logits_shape[-1],), initializer="zeros"
        )

    def call(self, logits):
        return logits + ops.cast(self.bias, logits.dtype)

    def compute_output_shape(self, logits_shape):
        return logits_shape
