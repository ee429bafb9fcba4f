"""What is stored is what was trained, as exactly as the format can say it."""

import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export.numeric_format import (
    COMPUTE_DTYPES,
    format_of,
    pack,
    require_numeric_format,
    unpack,
)

pytestmark = pytest.mark.tensorflow


def matrix():
    scales = np.array([1e-3, 0.1, 1.0, 30.0, 0.0], "float32")
    return np.random.default_rng(0).normal(size=(7, 5)).astype("float32") * scales


def test_float32_stores_every_bit():
    [stored] = pack(matrix(), "float32")
    np.testing.assert_array_equal(stored, matrix())
    np.testing.assert_array_equal(unpack([stored]), matrix())


def test_bfloat16_keeps_eight_bits_of_each_number():
    unpacked = unpack(pack(matrix(), "bfloat16"))
    assert unpacked.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(unpacked, "float32"), matrix(), rtol=2**-8)


@pytest.mark.parametrize("per_row", [False, True])
def test_int8_is_off_by_half_a_step_of_each_output_at_most(per_row):
    weight = matrix().T if per_row else matrix()
    integers, scale = pack(weight, "int8", per_row)
    assert integers.dtype == "int8"
    assert scale.size == 5
    step = np.abs(weight).max(axis=1 if per_row else 0, keepdims=True) / 127
    error = np.abs(integers * scale.astype("float32") - weight)
    assert (error <= 0.51 * step).all()
    unpacked = tf.cast(unpack([integers, scale]), "float32").numpy()
    assert (np.abs(unpacked - weight) <= 0.51 * step + np.abs(weight) / 256).all()


def test_int8_leaves_vectors_in_bfloat16():
    [stored] = pack(np.ones(7, "float32"), "int8")
    assert stored.dtype == "bfloat16"


@pytest.mark.parametrize("numeric_format", COMPUTE_DTYPES)
def test_variables_are_unpacked_like_constants(numeric_format):
    stored = pack(matrix(), numeric_format)
    variables = [tf.Variable(part) for part in stored]
    np.testing.assert_array_equal(
        tf.cast(unpack(variables), "float32"), tf.cast(unpack(stored), "float32")
    )


@pytest.mark.parametrize(
    "compute_dtype, expected",
    [("float32", "float32"), ("bfloat16", "bfloat16"), ("float16", "float32")],
)
def test_a_model_is_stored_as_it_computes_or_better(compute_dtype, expected):
    assert format_of(compute_dtype) == expected


def test_another_format_is_refused_and_the_known_ones_named():
    with pytest.raises(ValueError, match="dtype='float16'.*'float32', 'bfloat16', 'in"):
        require_numeric_format("float16")
