"""Functions of tensors, each traced into one graph, which alone takes strings."""

import keras
import tensorflow as tf

# What such a function may be asked with.
TEXT = tf.TensorSpec((None,), tf.string, name="text")
IDS = tf.TensorSpec((None, None), tf.int32)


def graph_function(function, *signature):
    """A function that TensorFlow traces once, for tensors of these specs."""
    return tf.function(function, input_signature=signature, autograph=False)


def require_tensorflow(owner):
    """Raise RuntimeError unless Keras runs on TensorFlow."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"{owner}: got the backend {backend!r}, but what takes strings is one "
            f"TensorFlow graph. Save the model, set KERAS_BACKEND=tensorflow and load "
            f"it there: its weights are the same."
        )
