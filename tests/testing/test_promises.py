"""What a promise finds is said in words, with numbers."""

import keras
import numpy as np
import pytest

from keras_attention.testing import promises
from keras_attention.testing.layer_case import LayerCase

X, OTHER = np.zeros((2, 4, 3)), np.ones((2, 4, 3))


def running_sum(inputs):
    return np.cumsum(inputs[0], axis=1)


def test_a_change_moves_what_comes_after_it_in_a_running_sum():
    assert promises.moved_positions(running_sum, [X], [OTHER]) == [
        [False, True, True, True],
        [False, False, True, True],
        [False, False, False, True],
    ]


class Table:
    """A case whose inputs are known."""

    def inputs(self, seed):
        return [(X, OTHER)[seed]]


def test_who_looks_ahead_is_told_where():
    promises.require_no_leak(running_sum, Table())
    message = r"at position 1 and later moved the outputs at \[0\], which may not know"
    with pytest.raises(AssertionError, match=message):
        promises.require_no_leak(lambda x: running_sum([x[0][:, ::-1]]), Table())
    with pytest.raises(AssertionError, match="position 1 and later moved no output"):
        promises.require_no_leak(lambda x: X, Table())


def test_rounding_is_what_numbers_of_this_size_have():
    large = np.full(3, 1000.0)
    promises.require_close(large + 0.01, large, 1e-4, "outputs", "")
    promises.require_close(np.zeros(0), np.zeros(0), 1e-4, "outputs", "")
    message = r"outputs that differ by up to 0.01, and rounding makes 0.0001 at most"
    with pytest.raises(AssertionError, match=message):
        promises.require_close(X + 0.01, X, 1e-4, "outputs", "")


def test_hidden_values_become_others_and_lengths_grow():
    mask, x = np.array([[True, False]]), np.array([[[1.0], [2.0]]])
    hidden = promises.where_visible(mask, x, np.array([[[7.0], [8.0]]]))
    assert hidden.tolist() == [[[1.0], [800.0]]]
    ids = promises.where_visible(mask, np.array([[5, 6]]), np.array([[7, 8]]))
    assert ids.tolist() == [[5, 8]]
    assert promises.lengthen(mask, False).tolist() == [[True] + 5 * [False]]
    assert promises.lengthen(x, 9).shape == (1, 6, 1)


def test_only_a_layer_with_steps_has_a_cache():
    assert not promises.has_cache(LayerCase(keras.layers.Dense, {"units": 3}))


@pytest.mark.parametrize(
    "policy, half", [("mixed_float16", "float16"), ("bfloat16", "bfloat16")]
)
def test_half_of_a_policy_is_its_compute_dtype(policy, half):
    assert promises.half_of(policy) == half
    assert keras.dtype_policies.get(policy).compute_dtype == half
