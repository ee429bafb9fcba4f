"""Luong et al., 2015; what holds for any attention with one head is tested there."""

import keras
import numpy as np
from references import numpy, padding_masks, vectors

from keras_attention.layers.multiplicative_attention import MultiplicativeAttention

B, T, S, D, M = 2, 5, 7, 12, 8


def test_it_is_the_layer_of_keras_behind_the_matrix():
    layer, x, memory = MultiplicativeAttention(), vectors(B, T, D), vectors(B, S, M)
    mask = padding_masks(B, S)
    ours, weights = layer(x, memory, memory_mask=mask, return_attention_scores=True)
    expected, their_weights = keras.layers.Attention()(
        [x, memory, numpy(layer.key(memory))],
        mask=[None, mask],
        return_attention_scores=True,
    )
    np.testing.assert_allclose(numpy(ours), numpy(expected), atol=1e-5)
    np.testing.assert_allclose(numpy(weights)[:, 0], numpy(their_weights), atol=1e-6)


def test_its_only_weight_is_one_matrix():
    layer = MultiplicativeAttention()
    layer.build((B, T, D), (B, S, M))
    assert [weight.shape for weight in layer.weights] == [(M, D)]
