"""Every weight learns, and nothing becomes infinite."""

import keras
import numpy as np
import pytest
from layer_cases import (
    POLICIES,
    learns,
    numpy,
    parametrize,
    random_masks,
    takes_vectors,
)


def train_once(model, inputs, shape):
    """One step of gradient descent; returns the loss."""
    # Random, because after LayerNormalization a constant target has no gradient.
    targets = np.random.default_rng(1).normal(size=shape)
    model.compile("sgd", "mse", run_eagerly=True)
    return float(model.train_on_batch(inputs, targets))


@parametrize(learns)
@pytest.mark.parametrize("policy", ["float32", POLICIES[0]])
def test_every_weight_learns(case, policy):
    model, inputs = case.model(dtype=policy), case.inputs()
    before = [numpy(weight) for weight in model.trainable_variables]
    loss = train_once(model, inputs, model(inputs).shape)
    after = [numpy(weight) for weight in model.trainable_variables]
    unmoved = [
        weight.path
        for weight, old, new in zip(model.trainable_variables, before, after)
        if np.array_equal(old, new)
    ]
    assert not unmoved
    assert np.isfinite(loss) and all(np.isfinite(weight).all() for weight in after)


@parametrize(lambda case: learns(case) and takes_vectors(case))
def test_a_sentence_of_nothing_but_padding_leaves_the_weights_finite(case):
    masked, masks = case.masked_model(), random_masks(case)
    for mask in masks:
        mask[1] = False
    model = keras.Model(masked.inputs, masked.outputs[0])
    inputs = [*case.inputs(), *masks]
    loss = train_once(model, inputs, model(inputs).shape)
    assert np.isfinite(loss)
    assert all(np.isfinite(numpy(weight)).all() for weight in model.trainable_variables)
