"""Keras's dense layer, in the form that TensorFlow makes one operation of."""

import keras
from keras import ops


class Dense(keras.layers.Dense):
    """`keras.layers.Dense`, of all positions of all sentences as rows of one matrix.

    So product, bias and activation follow each other without a reshape in between, and
    TensorFlow fuses them on a CPU, in training, too. The other backends need no help.
    A part of other layers, which has no registered name of its own.

    Args:
        units: Width of the output, at least 1.
        **kwargs: Those of `keras.layers.Dense`.

    Call arguments:
        inputs: (B, ..., D), float.

    Returns:
        (B, ..., units), float. A padding mask passes through unchanged.

    Example:

    >>> Dense(7, activation="relu")(np.ones((2, 5, 3))).shape
    (2, 5, 7)
    """

    def call(self, inputs, training=None):
        if keras.backend.backend() != "tensorflow" or len(inputs.shape) == 2:
            return super().call(inputs, training=training)
        *positions, width = ops.shape(inputs)
        rows = super().call(ops.reshape(inputs, (-1, width)), training=training)
        return ops.reshape(rows, (*positions, self.units))
