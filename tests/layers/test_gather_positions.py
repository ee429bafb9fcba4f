"""What is asked for comes out in its order, and says where nothing was asked."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers.gather_positions import GatherPositions


def test_the_vectors_at_the_positions_come_in_their_order():
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    positions = np.array([[4, 1, 0], [2, 2, 3]])
    found = ops.convert_to_numpy(GatherPositions()(positions, x))
    for row in range(2):
        for place, position in enumerate(positions[row]):
            np.testing.assert_array_equal(found[row, place], x[row, position])


def test_what_is_not_asked_is_masked_whatever_x_says():
    gather = GatherPositions()
    positions = ops.convert_to_tensor([[4, 1, 0]])
    mask = ops.convert_to_numpy(gather.compute_mask(positions))
    assert mask.tolist() == [[True, True, False]]


def test_keras_counts_only_what_is_asked():
    """The loss and the accuracy of a model are means over the unmasked."""
    positions = keras.Input((None,), dtype="int32")
    x = keras.Input((None, 3))
    model = keras.Model([positions, x], GatherPositions()(positions, x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"])
    logits = np.eye(3, dtype="float32")[None] * 9
    asked, labels = np.array([[1, 2, 0, 0]]), np.array([[1, 0, 2, 2]])
    found = model.evaluate([asked, logits], labels, verbose=0, return_dict=True)
    assert found["accuracy"] == 0.5
    right, wrong = (-np.log(np.exp([9, 0]) / (np.exp(9) + 2))).tolist()
    assert found["loss"] == pytest.approx((right + wrong) / 2, abs=1e-4)
