import math

import numpy as np
import pytest
from keras import ops
from references import numpy, vectors

from keras_attention.layers.positional_encoding import PositionalEncoding, sinusoid

B, T, D = 2, 5, 12


@pytest.mark.parametrize("d_model", [12, 13, 1, 2])
def test_it_is_the_formula_of_section_3_5_sines_and_cosines_alternating(d_model):
    expected = np.zeros((T, d_model))
    for position in range(T):
        for i in range(d_model):
            angle = position / 10000 ** (2 * (i // 2) / d_model)
            expected[position, i] = math.cos(angle) if i % 2 else math.sin(angle)
    table = sinusoid(ops.arange(T, dtype="float32"), d_model)
    np.testing.assert_allclose(numpy(table), expected, atol=1e-6)


@pytest.mark.parametrize("d_model", [12, 13, 1])
def test_not_interleaved_all_sines_come_before_all_cosines(d_model):
    positions = ops.arange(T, dtype="float32")
    paper = numpy(sinusoid(positions, d_model))
    halves = numpy(sinusoid(positions, d_model, interleaved=False))
    expected = np.concatenate([paper[:, ::2], paper[:, 1::2]], axis=1)
    np.testing.assert_array_equal(halves, expected)


def test_a_known_row():
    row = numpy(sinusoid(ops.array([1.0]), 4))[0]
    expected = [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]
    np.testing.assert_allclose(row, expected, atol=1e-6)


def test_far_positions_are_as_exact_as_float32_allows():
    position = 9999
    row = numpy(sinusoid(ops.array([float(position)]), D))[0]
    angles = position / 10000 ** (np.arange(0, D, 2) / D)
    np.testing.assert_allclose(row[0::2], np.sin(angles), atol=2e-3)
    np.testing.assert_allclose(row[1::2], np.cos(angles), atol=2e-3)


def test_positions_shifted_together_keep_their_products():
    """The product of two positions depends on their distance only."""
    table = numpy(sinusoid(ops.arange(40, dtype="float32"), D))
    products = table @ table.T
    for distance in (0, 1, 7):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], atol=1e-4)


def test_the_sinusoid_is_added_to_each_vector():
    x = vectors(B, T, D)
    table = numpy(sinusoid(ops.arange(T, dtype="float32"), D))
    np.testing.assert_allclose(numpy(PositionalEncoding()(x)), x + table, atol=1e-6)


def test_nothing_is_learned():
    layer = PositionalEncoding()
    layer.build((None, None, D))
    assert not layer.weights


@pytest.mark.parametrize("kind", ["int", "tensor"])
def test_step_by_step_is_the_same_as_all_at_once(kind):
    layer, x = PositionalEncoding(), vectors(B, T, D)
    all_at_once = numpy(layer(x))
    for t in range(T):
        index = t if kind == "int" else ops.convert_to_tensor(t, "int32")
        step = numpy(layer.step(ops.convert_to_tensor(x[:, t]), index))
        np.testing.assert_allclose(step, all_at_once[:, t], atol=1e-6)


def test_any_length_is_taken_unless_there_is_a_maximum():
    assert tuple(PositionalEncoding()(np.zeros((1, 999, D))).shape) == (1, 999, D)
    with pytest.raises(ValueError, match="got 999 positions, .* max_length=998"):
        PositionalEncoding(max_length=998)(np.zeros((1, 999, D)))
