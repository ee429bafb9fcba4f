import math

import numpy as np
from references import highway, numpy, randomize, vectors

from keras_attention.layers.highway import Highway

B, T, D = 2, 5, 12


def test_it_is_equation_3():
    layer, x = Highway(), vectors(B, T, D)
    layer.build(x.shape)
    randomize(layer)
    expected = [[highway(x[b, t], layer) for t in range(T)] for b in range(B)]
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-5)


def test_most_of_the_input_is_carried_at_first():
    layer = Highway()
    layer.build((B, T, D))
    assert set(numpy(layer.gate.bias)) == {-2.0}
    zero_gate_weights = np.zeros((D, D))
    layer.gate.kernel.assign(zero_gate_weights)
    layer.transform.kernel.assign(zero_gate_weights)
    x = vectors(B, T, D)
    carried = x * (1 - 1 / (1 + math.exp(2)))
    np.testing.assert_allclose(numpy(layer(x)), carried, atol=1e-6)
