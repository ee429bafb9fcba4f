import types

import numpy as np
import pytest

from keras_attention.text.ragged_ids import RaggedIds

ROWS = [[5, 6, 7], [], [8], [9, 4]]


def lists_of(ids):
    return [row.tolist() for row in ids]


@pytest.mark.parametrize("rows", [ROWS, [], [[]], [[], []], [[5]]])
def test_lists_come_back(rows):
    ids = RaggedIds.of(rows)
    assert lists_of(ids) == rows
    assert len(ids) == len(rows)
    assert ids.lengths.tolist() == [len(row) for row in rows]


def test_rows_may_be_arrays_or_one_array():
    assert lists_of(RaggedIds.of([np.array(row, int) for row in ROWS])) == ROWS
    assert lists_of(RaggedIds.of(np.array([[5, 6], [7, 8]]))) == [[5, 6], [7, 8]]


def test_rows_may_come_one_by_one():
    assert [list(row) for row in RaggedIds.of(iter([[5, 6], [7]]))] == [[5, 6], [7]]


def test_what_has_values_and_splits_is_taken_as_it_is():
    ragged = types.SimpleNamespace(values=[5, 6, 7], row_splits=[0, 2, 2, 3])
    assert lists_of(RaggedIds.of(ragged)) == [[5, 6], [], [7]]
    ids = RaggedIds.of(ROWS)
    assert RaggedIds.of(ids) is ids


@pytest.mark.tensorflow
def test_a_ragged_tensor_is_taken():
    import tensorflow as tf

    assert lists_of(RaggedIds.of(tf.ragged.constant(ROWS))) == ROWS


def test_ids_take_four_bytes():
    assert RaggedIds.of([[5, 6]]).values.dtype == np.int32
    values = np.array([5, 6], np.uint16)
    assert RaggedIds(values, np.array([0, 2])).values.dtype == np.int32


def test_rows_are_found_by_number():
    ids = RaggedIds.of(ROWS)
    assert ids[0].tolist() == [5, 6, 7]
    assert ids[-1].tolist() == [9, 4]
    with pytest.raises(IndexError):
        ids[4]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 9])
def test_a_cut_keeps_the_start_of_each_row(length):
    expected = [row[:length] for row in ROWS]
    assert lists_of(RaggedIds.of(ROWS).cut(length)) == expected


def test_a_token_goes_in_front_of_each_row_or_behind():
    ids = RaggedIds.of(ROWS)
    assert lists_of(ids.with_first(2)) == [[2, *row] for row in ROWS]
    assert lists_of(ids.with_last(3)) == [[*row, 3] for row in ROWS]


def test_some_rows_make_an_array_filled_up_below_and_to_the_right():
    padded = RaggedIds.of(ROWS).padded(np.array([3, 0, 1]), (5, 2), pad=-1)
    assert padded.dtype == np.int32
    expected = [[9, 4], [5, 6], [-1, -1], [-1, -1], [-1, -1]]
    assert padded.tolist() == expected


def test_ids_are_whole_numbers():
    with pytest.raises(TypeError, match="RaggedIds: got values of float64, .*integers"):
        RaggedIds.of([[5.0, 6.0]])
    with pytest.raises(TypeError, match="RaggedIds: got values of <U1"):
        RaggedIds.of("ab")
    with pytest.raises(TypeError, match="RaggedIds: got row_splits of float64"):
        RaggedIds(np.array([5]), np.array([0.0, 1.0]))


def test_ids_of_one_sentence_are_no_rows():
    message = "RaggedIds: got a list whose items are no sequences .*one sentence in a"
    with pytest.raises(TypeError, match=message):
        RaggedIds.of([5, 6])


@pytest.mark.parametrize(
    "splits", [[0, 2], [1, 3], [0, 2, 1, 3], [0, 4], [[0, 3]], np.zeros(0, int)]
)
def test_splits_that_are_not_of_the_values_are_refused(splits):
    message = r"RaggedIds: got 3 values and row_splits=.*must rise from 0 to 3"
    with pytest.raises(ValueError, match=message):
        RaggedIds(np.array([5, 6, 7]), np.array(splits))
