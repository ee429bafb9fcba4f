"""Vectors (B, T, D), segments (B, T) -> vectors that know their segment."""

import keras
from keras import ops

from keras_attention.layers.look_up import look_up
from keras_attention.layers.requirements import require_positive, require_rank


@keras.saving.register_keras_serializable(package="keras_attention")
class SegmentEncoding(keras.layers.Layer):
    """Add to each position the learned vector of the segment that it belongs to.

    Args:
        num_segments: Segments in the table; ids from 0.

    Call arguments:
        x: (B, T, D), float.
        segment_ids: (B, T), int, which segment each position is of: in BERT 0 for the
            first sentence and 1 for the second.

    Returns:
        (B, T, D), float. A padding mask on `x` passes through unchanged.

    Raises:
        ValueError: If `x` has not three axes.

    Source:
        Devlin et al., 2019, section 3 and figure 2.

    Example:

    >>> segment_ids = np.array([[0, 0, 1, 1, 1]])
    >>> SegmentEncoding(num_segments=2)(np.zeros((1, 5, 12)), segment_ids).shape
    (1, 5, 12)
    """

    def __init__(self, num_segments=2, **kwargs):
        super().__init__(**kwargs)
        require_positive(type(self).__name__, num_segments=num_segments)
        self.num_segments = num_segments
        self.supports_masking = True

    def build(self, x_shape, segment_ids_shape=None):
        require_rank(self.name, 3, x=x_shape)
        self.table = self.add_weight(
            name="table",
            shape=(self.num_segments, x_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            autocast=False,
        )

    def call(self, x, segment_ids):
        vectors = look_up(self.table, segment_ids)  # (B, T, D)
        return x + ops.cast(vectors, x.dtype)

    def compute_output_shape(self, x_shape, segment_ids_shape=None):
        return x_shape

    def get_config(self):
        return {**super().get_config(), "num_segments": self.num_segments}
