"""Vectors (B, T, D) -> vectors (B, T, D) that know their place."""

import keras
import numpy as np
from keras import ops

from keras_attention.layers.requirements import (
    require_positive,
    require_rank,
    require_within_table,
)


def sinusoid(positions, d_model, interleaved=True):
    """Encode positions as sines and cosines of wavelengths from 2 pi to 10000 * 2 pi.

    PE(pos, 2i) = sin(pos / 10000^(2i / D)), PE(pos, 2i + 1) = cos(the same).

    Args:
        positions: (T,), float32; the dtype matters, as bfloat16 knows no 257.
        d_model: D, width; an odd D leaves out the last cosine.
        interleaved: Sines and cosines alternate, as in the paper; False puts all sines
            before all cosines, as Tensor2Tensor and Marian do.

    Returns:
        (T, D), float32.

    Source:
        Vaswani et al., 2017, section 3.5.

    Example:

    >>> sinusoid(np.arange(3.0), 4).shape
    (3, 4)
    """
    rates = 10000.0 ** (-np.arange(0, d_model, 2) / d_model)
    positions = ops.convert_to_tensor(positions, dtype="float32")
    angles = positions[:, None] * ops.cast(rates, "float32")  # (T, D / 2)
    # (T, D / 2, 2) one beside the other, or (T, 2, D / 2) one after the other
    parts = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1 if interleaved else 1)
    return ops.reshape(parts, (-1, 2 * len(rates)))[:, :d_model]  # (T, D)


@keras.saving.register_keras_serializable(package="keras_attention")
class PositionalEncoding(keras.layers.Layer):
    """Add the sinusoid of its position to each vector. Nothing is learned.

    Args:
        max_length: Longest input in positions, to refuse longer ones; None, the
            default, takes any length.
        interleaved: Sines and cosines alternate, as in the paper; False puts all sines
            before all cosines, as Tensor2Tensor and Marian do.

    Call arguments:
        x: (B, T, D), float.

    Returns:
        (B, T, D), float. A padding mask on `x` passes through unchanged.

    Raises:
        ValueError: If `x` has not three axes, or is known to be longer than
            `max_length`.

    Source:
        Vaswani et al., 2017, section 3.5. Computed in float32 whatever the dtype.

    Example:

    >>> PositionalEncoding()(np.zeros((2, 5, 12))).shape
    (2, 5, 12)
    """

    def __init__(self, max_length=None, interleaved=True, **kwargs):
        super().__init__(**kwargs)
        if max_length is not None:
            require_positive(type(self).__name__, max_length=max_length)
        self.max_length = max_length
        self.interleaved = interleaved
        self.supports_masking = True

    def build(self, x_shape):
        require_rank(self.name, 3, x=x_shape)

    def call(self, x):
        if self.max_length is not None:
            require_within_table(self.name, x.shape[1], self.max_length)
        return self._add(x, ops.arange(ops.shape(x)[1], dtype="float32"))

    def step(self, x, index):
        """Do `call` for the one vector at position `index`: (R, D) -> (R, D)."""
        return self._add(x, ops.reshape(ops.cast(index, "float32"), (1,)))

    def _add(self, x, positions):
        encoded = sinusoid(positions, x.shape[-1], self.interleaved)
        return x + ops.cast(encoded, x.dtype)

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "interleaved": self.interleaved,
        }
