import math

import numpy as np
import pytest
from references import numpy, randomize, vectors

from keras_attention.layers.scalar_mix import ScalarMix

B, T, L, D = 2, 5, 3, 12


def mix(layers, scores, gamma):
    """Peters et al., 2018, equation 1: the vectors h_j (D,) of one word -> (D,)."""
    exponentials = [math.exp(w) for w in scores]
    s = [e / sum(exponentials) for e in exponentials]
    return gamma * sum(s[j] * layers[j] for j in range(len(s)))


def test_it_is_equation_1():
    layer, x = ScalarMix(L), vectors(B, T, L * D)
    layer.build(x.shape)
    randomize(layer)
    scores, gamma = numpy(layer.scores), float(numpy(layer.gamma))
    expected = [
        [mix(np.split(x[b, t], L), scores, gamma) for t in range(T)] for b in range(B)
    ]
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-5)


def test_it_starts_as_the_mean_of_the_layers():
    layer, x = ScalarMix(L), vectors(B, T, L * D)
    mean = x.reshape(B, T, L, D).mean(axis=2)
    np.testing.assert_allclose(numpy(layer(x)), mean, atol=1e-6)


def test_it_tells_how_much_each_layer_counts():
    layer = ScalarMix(L)
    layer.build((None, None, L * D))
    layer.scores.assign(np.log([1.0, 2.0, 5.0]))
    np.testing.assert_allclose(
        numpy(layer.weights_of_layers), [0.125, 0.25, 0.625], atol=1e-6
    )


def test_one_layer_is_only_scaled():
    layer, x = ScalarMix(1), vectors(B, T, D)
    layer.build(x.shape)
    layer.gamma.assign(1.5)
    np.testing.assert_allclose(numpy(layer(x)), 1.5 * x, atol=1e-6)


def test_a_width_of_no_whole_layers_is_refused():
    message = r"mix: got vectors of width 35 and num_layers=3, but .*\(35 / 3 = 11.66"
    with pytest.raises(ValueError, match=message):
        ScalarMix(3, name="mix")(vectors(B, T, 35))


def test_another_number_of_axes_is_refused():
    with pytest.raises(ValueError, match=r"mix: got layers of shape \(2, 36\)"):
        ScalarMix(3, name="mix")(vectors(B, 36))


def test_there_must_be_a_layer():
    with pytest.raises(ValueError, match="ScalarMix: got num_layers=0"):
        ScalarMix(0)
