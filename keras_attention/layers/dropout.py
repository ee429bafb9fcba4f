"""Vectors -> vectors, some of their elements zero: one random byte an element."""

import keras
from keras import ops

from keras_attention.layers.requirements import require_rate


@keras.saving.register_keras_serializable(package="keras_attention")
class Dropout(keras.layers.Dropout):
    """Drop elements at random in training, and scale up the others to make up for it.

    As Keras's own, but one random byte decides about an element, where Keras draws a
    whole float: on a CPU that takes a third of the time. The share that is dropped is
    therefore a number of 256ths, the nearest to `rate` (0.1 drops 26 / 256 = 0.1016),
    though never none; what is kept is scaled by exactly its inverse.

    Args:
        rate: Share of elements dropped in training, in [0, 1).
        seed: int, for the same draws in each run; by default drawn at random, that is
            from `keras.utils.set_random_seed`.

    Call arguments:
        x: float, of any shape with at least one axis; the last one known.
        training: Whether to drop anything.

    Returns:
        As `x`. A mask on `x` passes through unchanged.

    Source:
        Srivastava et al., 2014, scaled in training instead of afterwards.

    Example:

    >>> Dropout(0.1)(np.ones((2, 5, 12)), training=True).shape
    (2, 5, 12)
    """

    def __init__(self, rate, seed=None, **kwargs):
        require_rate(type(self).__name__, rate=rate)
        super().__init__(rate, seed=seed, **kwargs)

    def call(self, x, training=False):
        if not training or self.rate == 0:
            return x
        dropped = min(max(round(256 * self.rate), 1), 255)
        scale = 256 / (256 - dropped)
        kept = random_bytes(ops.shape(x), self.seed_generator) >= dropped
        return x * (ops.cast(kept, x.dtype) * ops.cast(scale, x.dtype))

    def in_training(self, training):
        """A function that drops, or None where nothing is to be dropped."""
        if not training or self.rate == 0:
            return None
        return lambda x: self(x, training=True)

    def get_config(self):
        config = super().get_config()
        del config["noise_shape"]
        return config


def random_bytes(shape, seed):
    """Draw uint8 from 0 to 255, evenly, four at a time: of the given shape."""
    *outer, width = shape
    words = keras.random.randint(
        (*outer, -(-width // 4)), -(2**31), 2**31 - 1, dtype="int32", seed=seed
    )
    return ops.view(words, "uint8")[..., :width]
