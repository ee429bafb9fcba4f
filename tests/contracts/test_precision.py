"""Half the bits: the right dtypes, the same results as near as these allow."""

import keras
import numpy as np
import pytest
from keras import ops
from layer_cases import POLICIES, D, every_layer, numpy

import keras_attention as ka
from keras_attention.testing import promises

every_policy = pytest.mark.parametrize("policy", POLICIES)


@every_layer
@every_policy
def test_dtypes_and_results_are_those_of_the_policy_and_near_float32_s(case, policy):
    promises.mixed_precision(case, policy)


@every_layer
@every_policy
def test_the_global_policy_is_followed(case, policy):
    keras.config.set_dtype_policy(policy)
    layer = case.make()
    outputs = case.connect(layer, *case.inputs())
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.split("_")[-1]
    policies = {part.dtype_policy.name for part in layer._flatten_layers()}
    assert policies == {policy}


@every_layer
@every_policy
def test_large_inputs_stay_finite(case, policy):
    inputs = [x if x.dtype.kind == "i" else 30 * x for x in case.inputs()]
    assert np.isfinite(numpy(case.connect(case.make(dtype=policy), *inputs))).all()


@every_policy
def test_positions_above_256_are_told_apart(policy):
    layer = ka.PositionalEncoding(dtype=policy)
    table = numpy(layer(np.zeros((1, 520, D))))[0]
    assert len(np.unique(table[256:], axis=0)) == 520 - 256
    full = numpy(ka.PositionalEncoding(dtype="float32")(np.zeros((1, 520, D))))[0]
    np.testing.assert_allclose(table, full, atol=0.005)


@every_policy
def test_a_step_above_position_256_is_told_apart(policy):
    layer = ka.PositionalEncoding(dtype=policy)
    zeros = ops.zeros((1, D), policy.split("_")[-1])
    all_at_once = numpy(layer(np.zeros((1, 520, D))))
    for index in (256, 257, 519):
        step = numpy(layer.step(zeros, index))
        np.testing.assert_array_equal(step[0], all_at_once[0, index])


@every_policy
def test_learned_positions_above_256_are_told_apart(policy):
    layer = ka.LearnedPositionalEncoding(max_length=520, dtype=policy)
    table = numpy(layer(np.zeros((1, 520, D))))[0]
    assert len(np.unique(table[256:], axis=0)) == 520 - 256
