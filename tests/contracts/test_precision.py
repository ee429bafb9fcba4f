"""Half the bits: the right dtypes, the same results as near as these allow."""

import keras
import numpy as np
import pytest
from keras import ops
from layer_cases import POLICIES, D, every_layer, numpy

import keras_attention as ka

# Of a float32 result of size about 1: 8 bits of mantissa in bfloat16, 11 in float16.
TOLERANCE = {"mixed_bfloat16": 0.1, "mixed_float16": 0.012, "bfloat16": 0.1}
every_policy = pytest.mark.parametrize("policy", POLICIES)


def half_and_full(case, policy):
    """Two models of one layer, with equal weights: of the policy, and of float32."""
    half, full = case.model(dtype=policy), case.model(dtype="float32")
    for weight, original in zip(half.trainable_variables, full.trainable_variables):
        weight.assign(ops.cast(original, weight.dtype))
    return half, full


@every_layer
@every_policy
def test_the_dtypes_are_those_of_the_policy(case, policy):
    layer = case.make(dtype=policy)
    outputs = case.connect(layer, *case.inputs())
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.split("_")[-1]
    variable_dtype = "float32" if policy.startswith("mixed") else policy
    assert {weight.dtype for weight in layer.weights} <= {variable_dtype}


@every_layer
@every_policy
def test_the_results_are_close_to_those_of_float32(case, policy):
    half, full = half_and_full(case, policy)
    outputs = numpy(half(case.inputs()))
    assert np.isfinite(outputs).all()
    np.testing.assert_allclose(
        outputs, numpy(full(case.inputs())), atol=TOLERANCE[policy]
    )


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
