"""Functions of tensors, each traced into one graph, which alone takes strings."""

import keras
import tensorflow as tf

# What such a function may be asked with.
TEXT = tf.TensorSpec((None,), tf.string, name="text")
IDS = tf.TensorSpec((None, None), tf.int32)


def graph_function(function, *signature):
    """A function that TensorFlow traces once, for tensors of these specs."""
    return tf.function(function, input_signature=signature, autograph=False)


def require_short(pieces, most, message):
    """Refuse a text of too many pieces before anything is made of them.

    On one thread a graph else comes to the model first, and its memory ends.

    Args:
        pieces: Ragged (B, None), what texts were cut into.
        most: Pieces of a text that are allowed.
        message: Of the InvalidArgumentError for a longer one.

    Returns:
        The pieces, to go on with.
    """
    longest = tf.reduce_max(tf.concat([pieces.row_lengths(), [0]], axis=0))
    most = tf.cast(most, longest.dtype)
    check = tf.debugging.assert_less_equal(longest, most, message=message)
    with tf.control_dependencies([check]):
        return tf.identity(pieces)


def require_tensorflow(owner):
    """Raise RuntimeError unless Keras runs on TensorFlow."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"{owner}: got the backend {backend!r}, but what takes strings is one "
            f"TensorFlow graph. Save the model, set KERAS_BACKEND=tensorflow and load "
            f"it there: its weights are the same."
        )
