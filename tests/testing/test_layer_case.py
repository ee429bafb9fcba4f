"""Models of a layer, with masks and without, of any batch and length."""

import keras
import numpy as np

from keras_attention.testing.layer_case import (
    CarriedMask,
    LayerCase,
    carry,
    numpy,
    random_masks,
    same_draws,
)


def test_inputs_have_their_shapes_and_are_the_same_from_the_same_seed():
    case = LayerCase(keras.layers.Add, shapes=((2, 5, 12), (2, 7)))
    vectors, ids = case.inputs()
    assert vectors.shape == (2, 5, 12) and vectors.dtype == "float32"
    assert ids.shape == (2, 7) and ids.min() >= 1 and ids.max() <= 12
    np.testing.assert_array_equal(case.inputs()[0], vectors)
    assert not np.array_equal(case.inputs(seed=1)[0], vectors)
    longer, ids = case.inputs(lengths=[9, 11])
    assert longer.shape == (2, 9, 12) and ids.shape == (2, 11)


def test_a_layer_is_made_with_its_options_and_more():
    case = LayerCase(keras.layers.Dense, {"units": 3})
    assert case.make(name="some").name == "some"
    assert case.model().output_shape == (None, None, 3)


def test_masks_hide_something_and_never_the_first_position():
    for mask in random_masks(LayerCase(keras.layers.Add, shapes=2 * ((2, 5, 12),))):
        assert mask[:, 0].all() and not mask[0, 1]
    same, also, other = random_masks(
        LayerCase(keras.layers.Add, shapes=((2, 5, 12), (2, 5, 8), (2, 7, 8)))
    )
    assert same is also and other.shape == (2, 7)


def test_the_mask_that_comes_out_is_told():
    case = LayerCase(keras.layers.Activation, {"activation": "relu"})
    for one in (random_masks(case), [np.ones((2, 5), "bool")]):
        outputs, passed = case.masked_model()([case.inputs(), one])
        assert outputs.shape == (2, 5, 12)
        np.testing.assert_array_equal(numpy(passed), one[0])
    x = np.zeros((2, 5, 12), "float32")
    np.testing.assert_array_equal(numpy(CarriedMask()(x)), -np.ones((2, 5)))
    mask = np.ones((2, 5), "bool")
    assert numpy(CarriedMask()(carry(keras.ops.convert_to_tensor(x), mask))).all()


def test_the_same_units_are_dropped_again():
    case = LayerCase(keras.layers.Dropout, {"rate": 0.5})
    run = same_draws(case.model())
    first = run(case.inputs())
    np.testing.assert_array_equal(run(case.inputs()), first)
    assert (first == 0).any()
