"""What speaks for what when a loss is not finite."""

import re

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.training.likely_cause import (
    Evidence,
    first_bad_variable,
    likely_cause,
)


def model(policy="float32", loss="mse", optimizer="sgd", **settings):
    keras.config.set_dtype_policy(policy)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    model.compile(optimizer, loss, **settings)
    return model


def spoiled(model):
    """The model as a step with a loss of NaN leaves it."""
    for variable in model.trainable_variables:
        variable.assign(np.full(variable.shape, np.nan))
    return model


def cause(model, losses=(2.0, 1.9), learning_rate=0.001, batches=()):
    return likely_cause(Evidence(model, losses, learning_rate, batches))


@pytest.fixture
def transformer():
    model = ka.Transformer(11, 13, num_layers=1, d_model=12, num_heads=3, d_ff=24)
    model.compile("adam", ka.MaskedCrossentropy())
    return spoiled(model)


def batch(source=5, target=6, label=7):
    one = np.ones((2, 3), "int32")
    return {"source_ids": one * source, "target_ids": one * target}, one * label


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"source": 11}, "source_ids of a batch go from 11 to 11, .* knows 0 to 10"),
        ({"target": 13}, "target_ids of a batch go from 13 to 13, .* knows 0 to 12"),
        ({"label": 13}, "labels of a batch go from 13 to 13, .* knows 0 to 12"),
        ({"label": -1}, "labels of a batch go from -1 to -1, .* knows 0 to 12"),
    ],
)
def test_ids_outside_of_the_vocabulary_are_found(transformer, bad, said):
    text = cause(transformer, batches=[batch(), batch(**bad), batch()])
    assert_says(text, said)


def assert_says(text, pattern):
    assert re.search(pattern, text), text


def test_ids_inside_of_it_are_no_cause(transformer):
    assert_says(cause(transformer, batches=[batch(10, 12, 12)]), "Nothing points at")


def test_an_endless_dataset_is_looked_through_for_a_while(transformer):
    def endless():
        while True:
            yield batch()

    assert_says(cause(transformer, batches=endless()), "Nothing points at")


def test_a_batch_with_nothing_to_predict_is_found():
    padding = np.zeros((2, 3)), np.zeros((2, 4), "int32")
    text = cause(spoiled(model()), batches=[padding])
    assert_says(text, r"labels of shape \(2, 4\) that are all padding.*divides by 0")


def test_our_loss_bears_such_a_batch():
    padding = np.zeros((2, 3)), np.zeros((2, 4), "int32")
    text = cause(spoiled(model(loss=ka.MaskedCrossentropy())), batches=[padding])
    assert_says(text, "Nothing points at")


def test_float16_without_a_scaled_loss_is_found():
    text = cause(spoiled(model("mixed_float16", auto_scale_loss=False)))
    assert_says(text, "float16 and its loss is not scaled")


def test_the_range_of_float16_is_found():
    assert_says(cause(spoiled(model("mixed_float16"))), "largest number is 65504")


def test_other_precisions_are_no_cause():
    assert_says(cause(spoiled(model("mixed_bfloat16"))), "Nothing points at")


def test_an_explosion_is_told_with_its_losses():
    text = cause(spoiled(model()), losses=[2.0, 2.1, 1.9, 2.0, 5.25])
    assert_says(text, "a step had been about 2, and was 5.25 in the last one. Lower")


@pytest.mark.parametrize("losses", [(), (9.0,), (2.0, 2.1, 3.5)])
def test_losses_that_did_not_grow_are_no_explosion(losses):
    assert_says(cause(spoiled(model()), losses=losses), "Nothing points at")


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_rate_too_high_for_adam_is_told(policy):
    text = cause(spoiled(model(policy, optimizer="adam")), learning_rate=0.5)
    assert_says(text, "learning rate is high: .* and this is 0.5. Lower it")


def test_the_same_rate_is_none_too_high_for_others():
    assert_says(cause(spoiled(model()), learning_rate=0.5), "Nothing points at")


def test_weights_still_finite_point_at_the_loss():
    assert_says(cause(model()), "All weights are still finite, so it is the loss")


def test_the_first_bad_variable_is_found():
    kernel, bias = model().trainable_variables
    assert first_bad_variable([kernel, bias]) is None
    bias.assign([0, np.inf])
    assert first_bad_variable([kernel, bias]) is bias
    kernel.assign(np.full((3, 2), np.nan))
    assert first_bad_variable([kernel, bias]) is kernel
