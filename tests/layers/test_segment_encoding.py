import numpy as np
import pytest
from references import numpy, vectors

from keras_attention.layers.segment_encoding import SegmentEncoding

B, T, D = 2, 5, 12


def test_the_vector_of_its_segment_is_added_to_each_position():
    layer, x = SegmentEncoding(num_segments=3), vectors(B, T, D)
    segment_ids = np.array([[0, 0, 1, 2, 2], [1, 1, 1, 0, 0]])
    encoded = numpy(layer(x, segment_ids))
    table = numpy(layer.table)
    assert table.shape == (3, D)
    np.testing.assert_array_equal(encoded, x + table[segment_ids])


def test_the_segments_start_out_different_and_small():
    layer = SegmentEncoding(num_segments=97)
    layer.build((None, None, 101))
    table = numpy(layer.table)
    assert len(np.unique(table, axis=0)) == 97
    assert table.std() == pytest.approx(0.02, rel=0.1)


def test_there_must_be_a_segment():
    with pytest.raises(ValueError, match="num_segments=0"):
        SegmentEncoding(num_segments=0)
