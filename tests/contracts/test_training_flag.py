"""Units are dropped in training only, and the same ones from the same seed."""

import numpy as np
from layer_cases import every_layer, numpy, parametrize

import keras_attention as ka
from keras_attention.testing import promises


def drops(case):
    return case.make().get_config().get(name_of_rate(case), 0) > 0


def name_of_rate(case):
    return "rate" if case.layer is ka.Dropout else "dropout_rate"


every_layer_that_drops = parametrize(drops)


@every_layer
def test_nothing_is_dropped_outside_of_training(case):
    promises.nothing_is_drawn_outside_of_training(case)


@every_layer_that_drops
def test_training_drops_other_units_at_each_call(case):
    model, inputs = case.model(), case.inputs()
    outputs = [numpy(model(inputs, training=training)) for training in (0, 1, 1)]
    assert not np.array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[1], outputs[2])


@every_layer_that_drops
def test_the_same_seed_drops_the_same_units(case):
    promises.the_seed_decides_what_is_drawn(case)


@every_layer_that_drops
def test_a_rate_of_zero_drops_nothing(case):
    model = case.model(case.layer(**{**case.options, name_of_rate(case): 0.0}))
    inputs = case.inputs()
    np.testing.assert_array_equal(
        numpy(model(inputs, training=True)), numpy(model(inputs, training=False))
    )


def hands_on_the_mean(case):
    """No normalisation and no cell, which would bend the mean of what is dropped."""
    return drops(case) and not {"norm_first", "cell"} & set(case.make().get_config())


@parametrize(hands_on_the_mean)
def test_what_is_dropped_is_made_up_for(case):
    """The mean over many draws is near the result without any."""
    model = case.model()
    inputs = [np.repeat(x[:1], 500, axis=0) for x in case.inputs()]
    expected = numpy(model(inputs))[0]
    mean = numpy(model(inputs, training=True)).mean(axis=0)
    assert np.abs(mean - expected).mean() < 0.1 * np.abs(expected).mean()
