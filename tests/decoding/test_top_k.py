import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.decoding.top_k import block_width, top_k


@pytest.mark.parametrize("vocab_size", [11, 1000, 8000])
def test_values_and_places_are_those_of_a_full_sort(vocab_size):
    x = np.random.default_rng(0).normal(size=(3, vocab_size)).astype("float32")
    values, indices = top_k(ops.convert_to_tensor(x), 5)
    expected = np.argsort(-x, axis=-1)[:, :5]
    assert np.asarray(indices).tolist() == expected.tolist()
    assert np.asarray(values).tolist() == (
        np.take_along_axis(x, expected, axis=-1).tolist()
    )


def test_all_of_the_largest_may_lie_in_one_block():
    x = np.zeros((1, 8000), "float32")
    x[0, 300:305] = [1, 5, 3, 2, 4]
    _, indices = top_k(ops.convert_to_tensor(x), 5)
    assert np.asarray(indices).tolist() == [[301, 304, 302, 303, 300]]


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="any may win there")
def test_among_equal_values_the_first_one_wins():
    x = np.zeros((1, 8000), "float32")
    x[0, [5000, 6000, 130, 7000]] = [3, 2, 1, 1]
    x[0, 5001] = 1  # in the block searched first, though not the first to stand
    _, indices = top_k(ops.convert_to_tensor(x), 5)
    assert np.asarray(indices).tolist() == [[5000, 6000, 130, 5001, 7000]]


def test_forbidden_values_do_not_disturb_the_others():
    x = np.full((1, 8000), -np.inf, "float32")
    x[0, [17, 7000]] = [1, 2]
    values, indices = top_k(ops.convert_to_tensor(x), 3)
    assert np.asarray(values).tolist() == [[2, 1, -np.inf]]
    assert np.asarray(indices)[0, :2].tolist() == [7000, 17]


@pytest.mark.parametrize(
    "row_width, k, expected",
    [
        (8000, 8, 125),
        (32000, 8, 128),
        (2048, 8, 64),
        (1000, 8, None),  # short
        (7919, 8, None),  # prime
    ],
)
def test_only_long_rows_that_divide_evenly_are_cut(row_width, k, expected):
    assert block_width(row_width, k) == expected
