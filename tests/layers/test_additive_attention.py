"""Bahdanau et al., 2015; what holds for any attention with one head is tested there."""

import keras
import numpy as np
import pytest
from references import numpy, padding_masks, vectors

from keras_attention.layers.additive_attention import AdditiveAttention

B, T, S, D, M, A = 2, 5, 7, 12, 8, 11


def test_it_is_the_layer_of_keras_behind_both_projections():
    layer, x, memory = AdditiveAttention(A), vectors(B, T, D), vectors(B, S, M)
    mask = padding_masks(B, S)
    ours, weights = layer(x, memory, memory_mask=mask, return_attention_scores=True)
    theirs = keras.layers.AdditiveAttention()
    query, key = numpy(layer.query(x)), numpy(layer.key(memory))
    theirs.build([query.shape, memory.shape, key.shape])
    theirs.scale.assign(layer.score.kernel[:, 0])
    expected, their_weights = theirs(
        [query, memory, key], mask=[None, mask], return_attention_scores=True
    )
    np.testing.assert_allclose(numpy(ours), numpy(expected), atol=1e-5)
    np.testing.assert_allclose(numpy(weights)[:, 0], numpy(their_weights), atol=1e-6)


def test_its_weights_are_those_of_the_equation():
    layer = AdditiveAttention(A)
    layer.build((B, T, D), (B, S, M))
    shapes = {weight.path.split("/")[-2]: weight.shape for weight in layer.weights}
    assert shapes == {"query": (D, A), "key": (M, A), "score": (A, 1)}


@pytest.mark.parametrize("units", [0, -3])
def test_a_hidden_layer_without_units_is_refused(units):
    message = f"AdditiveAttention: got units={units}, but there must be at least one"
    with pytest.raises(ValueError, match=message):
        AdditiveAttention(units)
