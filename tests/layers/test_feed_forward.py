import keras
import numpy as np
import pytest
from references import feed_forward, numpy, randomize, vectors

from keras_attention.layers.feed_forward import FeedForward

B, T, D, F = 2, 5, 12, 11


def test_it_is_equation_2():
    layer, x = FeedForward(F), vectors(B, T, D)
    layer.build(x.shape)
    randomize(layer)
    np.testing.assert_allclose(numpy(layer(x)), feed_forward(x, layer), atol=1e-5)


@pytest.mark.parametrize("activation", ["gelu", keras.activations.silu])
def test_another_activation_may_be_used(activation):
    layer, x = FeedForward(F, activation), vectors(B, T, D)
    transformed = numpy(layer(x))
    widened = keras.ops.matmul(x, layer.widen.kernel)
    expected = layer.narrow(keras.activations.get(activation)(widened))
    np.testing.assert_allclose(transformed, numpy(expected), atol=1e-6)


def test_an_activation_survives_the_config():
    layer = FeedForward(F, keras.activations.silu)
    assert FeedForward.from_config(layer.get_config()).activation is layer.activation


def test_each_position_is_transformed_on_its_own():
    layer, x = FeedForward(F), vectors(B, T, D)
    order = [3, 0, 4, 1, 2]
    permuted = numpy(layer(x[:, order]))
    np.testing.assert_allclose(permuted, numpy(layer(x))[:, order], atol=1e-6)


def test_the_weights_are_those_of_two_projections():
    layer = FeedForward(F)
    layer.build((None, None, D))
    assert [weight.shape for weight in layer.weights if weight.trainable] == [
        (D, F),
        (F,),
        (F, D),
        (D,),
    ]


def test_dropout_falls_on_the_hidden_units():
    layer = FeedForward(F, dropout_rate=0.99)
    x = vectors(1, 1, D)
    layer.build(x.shape)
    randomize(layer)
    # All hidden units are dropped in most of the draws: what is left is the bias.
    bias = numpy(layer.narrow.bias)
    draws = [numpy(layer(x, training=True))[0, 0] for _ in range(20)]
    assert any(np.array_equal(draw, bias) for draw in draws)


@pytest.mark.parametrize("d_ff", [0, -1])
def test_a_hidden_layer_of_no_width_is_refused(d_ff):
    with pytest.raises(ValueError, match=f"FeedForward: got d_ff={d_ff}, but"):
        FeedForward(d_ff)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="no_such_activation"):
        FeedForward(F, "no_such_activation")
