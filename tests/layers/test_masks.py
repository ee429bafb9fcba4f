import numpy as np
import pytest
from keras import ops

from keras_attention.layers.masks import causal_mask, combine_masks, visible_keys


def as_list(mask):
    return ops.convert_to_numpy(mask).astype(int).tolist()


def test_each_position_sees_itself_and_what_came_before():
    assert as_list(causal_mask(3)) == [[[[1, 0, 0], [1, 1, 0], [1, 1, 1]]]]


def test_a_causal_mask_of_one_position_hides_nothing():
    assert as_list(causal_mask(1)) == [[[[1]]]]


@pytest.mark.parametrize(
    "shape, broadcastable",
    [
        ((2, 7), (2, 1, 1, 7)),
        ((2, 5, 7), (2, 1, 5, 7)),
        ((2, 1, 5, 7), (2, 1, 5, 7)),
        ((2, 3, 5, 7), (2, 3, 5, 7)),
    ],
)
def test_a_mask_is_brought_to_the_form_of_the_scores(shape, broadcastable):
    mask = np.random.default_rng(0).random(shape) < 0.5
    visible = visible_keys("attention", mask)
    assert tuple(visible.shape) == broadcastable
    np.testing.assert_array_equal(
        ops.convert_to_numpy(visible), mask.reshape(broadcastable)
    )


def test_ones_and_zeros_serve_as_a_mask():
    visible = visible_keys("attention", np.array([[1, 0, 2]], "int32"))
    assert ops.dtype(visible) == "bool"
    assert as_list(visible) == [[[[1, 0, 1]]]]


@pytest.mark.parametrize("shape", [(5,), (2, 1, 3, 5, 7)])
def test_a_mask_of_another_rank_is_refused(shape):
    sizes = ", ".join(map(str, shape))
    message = rf"mine: got a mask of shape \({sizes},?\).*Give \(B, S\) for padding"
    with pytest.raises(ValueError, match=message):
        visible_keys("mine", np.ones(shape, "bool"))


def test_masks_combined_allow_what_each_of_them_allows():
    one = np.array([[True, True, False, False]])
    other = np.array([[True, False, True, False]])
    assert as_list(combine_masks(one, None, other)) == [[1, 0, 0, 0]]


def test_no_mask_restricts_nothing():
    assert combine_masks(None, None) is None
    mask = np.array([True, False])
    assert combine_masks(None, mask) is mask
