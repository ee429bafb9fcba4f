import keras
import numpy as np
import pytest
from references import layer_norm, numpy, randomize, vectors

from keras_attention.layers.residual import Residual

B, T, D = 2, 5, 12


def made(norm_first):
    layer = Residual(norm_first=norm_first)
    layer.build((B, T, D), (B, T, D))
    randomize(layer)
    return layer


def test_the_paper_normalises_the_sum():
    layer = made(norm_first=False)
    x, transformed = vectors(B, T, D, seed=0), vectors(B, T, D, seed=1)
    assert layer.prepare(x) is x
    for row, expected in zip(numpy(layer(x, transformed)), x + transformed):
        np.testing.assert_allclose(row, layer_norm(expected, layer.norm), atol=1e-5)


def test_norm_first_normalises_what_the_sub_layer_sees():
    layer = made(norm_first=True)
    x, transformed = vectors(B, T, D, seed=0), vectors(B, T, D, seed=1)
    for row, expected in zip(numpy(layer.prepare(x)), x):
        np.testing.assert_allclose(row, layer_norm(expected, layer.norm), atol=1e-5)
    np.testing.assert_allclose(numpy(layer(x, transformed)), x + transformed, atol=1e-6)


@pytest.mark.parametrize(
    "norm_first",
    [False, True],
)
def test_its_two_halves_may_be_used_in_their_order(norm_first):
    layer, x = Residual(norm_first=norm_first), vectors(B, T, D)
    y = layer(x, 2 * layer.prepare(keras.ops.convert_to_tensor(x)))
    assert tuple(y.shape) == (B, T, D)
    assert len(layer.trainable_variables) == 2


def test_dropout_falls_on_the_sub_layer_and_not_on_the_stream():
    layer = Residual(dropout_rate=0.5, norm_first=True)
    x, transformed = vectors(B, T, D), np.ones((B, T, D), "float32")
    added = numpy(layer(x, transformed, training=True)) - x
    assert set(np.unique(added.round(5))) == {0.0, 2.0}
