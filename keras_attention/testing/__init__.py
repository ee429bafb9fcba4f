"""Promises that a layer should keep, checked on any layer of Keras."""

from keras_attention.testing.check_layer import BrokenPromises, check_layer

__all__ = ["check_layer", "BrokenPromises"]
