"""Positions (B, M), vectors (B, T, D) -> the vectors there (B, M, D)."""

import keras
from keras import ops

from keras_attention.layers.requirements import require_rank


@keras.saving.register_keras_serializable(package="keras_attention")
class GatherPositions(keras.layers.Layer):
    """Take the vectors of some positions of each row, for a head to look at no others.

    Position 0 holds `[CLS]` and is never asked for, so 0 fills up rows that ask for
    fewer: the mask of what comes out says so, and Keras's losses and metrics leave it
    out.

    Call arguments:
        positions: (B, M), int, from 1 to T - 1; 0 where nothing is asked. They come
            first, as Keras makes the mask of the first argument.
        x: (B, T, D), float.

    Returns:
        (B, M, D), float, with the mask (B, M): True where the position is not 0.

    Raises:
        ValueError: If `x` has not three axes.

    Source:
        Devlin et al., 2019, section 3.1: only the masked tokens are predicted; the
        authors' code, `gather_indexes`.

    Example:

    >>> positions = np.array([[1, 4, 0]])
    >>> GatherPositions()(positions, np.zeros((1, 5, 12))).shape
    (1, 3, 12)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, positions_shape, x_shape):
        require_rank(self.name, 3, x=x_shape)

    def call(self, positions, x):
        indices = ops.cast(positions, "int32")[:, :, None]
        return ops.take_along_axis(x, indices, axis=1)  # (B, M, D)

    def compute_mask(self, positions, previous_mask=None):
        return ops.not_equal(positions, 0)

    def compute_output_shape(self, positions_shape, x_shape):
        return (*positions_shape, x_shape[-1])
