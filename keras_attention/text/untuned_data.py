"""A tf.data.Dataset whose iterators end at once."""

import tensorflow as tf


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements, without tf.data's tuning of buffers and parallel calls.

    The thread that tunes sleeps between two looks, longer each time, up to a minute,
    and an iterator that ends may have to wait until it wakes (TensorFlow 2.21): at the
    end of an epoch or a validation nothing moved for up to 30 seconds.

    Args:
        dataset: With buffers and parallel calls in numbers, as nothing chooses them.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
