import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.decoding import token_buffer


def numbers(x):
    return np.asarray(x).tolist()


def test_a_sentence_starts_with_its_first_token_and_room():
    buffer = token_buffer.start_buffer(ops.array([7, 5], "int32"), 3)
    assert numbers(buffer) == [[7, 0, 0], [5, 0, 0]]
    assert keras.backend.standardize_dtype(buffer.dtype) == "int32"


def test_a_token_is_written_at_one_position_of_every_sentence():
    ids = ops.array([[[2, 5, 0], [2, 6, 0]]], "int32")
    written = token_buffer.write_token(ids, 2, ops.array([[8, 9]], "int32"))
    assert numbers(written) == [[[2, 5, 8], [2, 6, 9]]]


def test_without_limits_every_sentence_may_fill_the_buffer():
    start_ids = ops.array([2, 2, 2], "int32")
    limits = token_buffer.limits_or_default(None, start_ids, 5)
    assert numbers(limits) == [5, 5, 5]


def test_no_limit_exceeds_the_buffer():
    start_ids = ops.array([2, 2], "int32")
    limits = token_buffer.limits_or_default(np.array([3, 9], "int32"), start_ids, 5)
    assert numbers(limits) == [3, 5]


def test_limits_of_another_integer_type_are_understood():
    start_ids = ops.array([2, 2], "int32")
    limits = token_buffer.limits_or_default(np.array([3, 9], "int64"), start_ids, 5)
    assert keras.backend.standardize_dtype(limits.dtype) == "int32"


def test_a_sentence_must_end_with_the_last_token_its_limit_allows():
    limits = ops.array([2, 3, 4], "int32")
    assert numbers(token_buffer.must_end(1, limits)) == [True, True, False]


def test_a_buffer_without_room_for_an_end_is_refused():
    with pytest.raises(ValueError, match="somebody: got max_length=1.*at least 2"):
        token_buffer.require_room("somebody", 1)


def test_anything_but_one_number_per_sentence_is_refused():
    with pytest.raises(ValueError, match=r"somebody: got ids of shape \(3, 2\)"):
        token_buffer.require_one_per_sentence("somebody", "ids", np.zeros((3, 2)))
