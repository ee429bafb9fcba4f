import keras
import numpy as np
import pytest
from references import layer_norm, numpy, randomize, vectors

from keras_attention.layers.layer_normalization import LayerNormalization

B, T, D = 2, 5, 12


def pair(dtype="float32", **settings):
    """A layer and Keras's, of the same random weights."""
    layers = [
        layer_class(epsilon=1e-6, dtype=dtype, **settings)
        for layer_class in (LayerNormalization, keras.layers.LayerNormalization)
    ]
    for layer in layers:
        layer.build((None, None, D))
    randomize(layers[0])
    layers[1].set_weights(layers[0].get_weights())
    return layers


def test_it_is_the_formula():
    layer, _ = pair()
    x = vectors(B, T, D)
    for row, expected in zip(numpy(layer(x)), x):
        np.testing.assert_allclose(row, layer_norm(expected, layer), atol=1e-5)


@pytest.mark.parametrize("shape", [(B, D), (B, T, D), (B, 3, T, D)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16", "float16"])
def test_it_says_what_keras_says(dtype, shape):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless it is told so")
    layer, other = pair(dtype)
    x = 3 * vectors(*shape) + 1
    y, expected = layer(x), other(x)
    assert y.dtype == expected.dtype
    digits = {"float32": 1e-5, "float64": 1e-6}.get(dtype, 2e-2)
    np.testing.assert_allclose(numpy(y), numpy(expected), atol=digits)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_it_learns_as_keras_does(dtype):
    x, target = vectors(B, T, D, seed=1), vectors(B, T, D, seed=2)
    learned = []
    for norm in pair(dtype):
        before = keras.layers.Dense(D, kernel_initializer="identity", name="before")
        model = keras.Sequential([keras.Input((T, D)), before, norm])
        model.compile(keras.optimizers.SGD(0.5), "mse", jit_compile=False)
        model.fit(x, target, batch_size=B, epochs=3, verbose=0)
        learned.append(model.get_weights())
    tolerance = 1e-5 if dtype == "float32" else 1e-2
    for ours, keras_weights in zip(*learned):
        np.testing.assert_allclose(ours, keras_weights, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "float16"])
def test_of_features_that_are_all_alike_beta_is_left(dtype):
    """Which is lost where it is added to a large multiple of the mean."""
    layer, _ = pair(dtype)
    y = numpy(layer(np.full((B, T, D), 6e4, "float32")))
    np.testing.assert_allclose(y, np.broadcast_to(layer.beta, y.shape), atol=4e-3)


def test_its_config_makes_it_again():
    layer, _ = pair()
    again = LayerNormalization.from_config(layer.get_config())
    assert again.get_config() == layer.get_config() and again.epsilon == 1e-6
