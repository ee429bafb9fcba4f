import numpy as np
import pytest
from keras import ops
from references import encoder_layer, numpy, padding_masks, randomize, vectors

from keras_attention.layers.encoder_layer import EncoderLayer

B, T, D, N, F = 2, 5, 12, 3, 11

both_orders = pytest.mark.parametrize(
    "norm_first", [False, True], ids=["norm_last", "norm_first"]
)


def made(norm_first=False):
    layer = EncoderLayer(N, F, norm_first=norm_first)
    layer.build((B, T, D))
    randomize(layer)
    return layer


@both_orders
def test_it_is_the_left_half_of_figure_1(norm_first):
    layer, x, mask = made(norm_first), vectors(B, T, D), padding_masks(B, T)
    encoded = numpy(layer(x, mask=mask))
    for b in range(B):
        expected = encoder_layer(x[b], layer, mask[b])
        np.testing.assert_allclose(encoded[b], expected, atol=2e-5)


@both_orders
def test_its_halves_one_after_the_other_are_the_whole(norm_first):
    layer, x, mask = made(norm_first), vectors(B, T, D), padding_masks(B, T)
    attended, weights = layer.attend(x, mask)
    assert tuple(weights.shape) == (B, N, T, T)
    np.testing.assert_allclose(numpy(weights).sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        numpy(layer.transform(attended)), numpy(layer(x, mask=mask)), atol=1e-6
    )


def test_its_attention_map_is_that_of_its_attention():
    layer, x, mask = made(), vectors(B, T, D), padding_masks(B, T)
    _, weights = layer.attend(x, mask)
    _, expected = layer.attention(x, mask=mask, return_attention_scores=True)
    np.testing.assert_array_equal(numpy(weights), numpy(expected))


def test_what_comes_out_is_normalised_unless_the_norm_comes_first():
    x = vectors(B, T, D)
    normalised, stream = EncoderLayer(N, F)(x), EncoderLayer(N, F, norm_first=True)(x)
    np.testing.assert_allclose(numpy(normalised).var(axis=-1), 1, rtol=1e-3)
    assert abs(numpy(stream).var(axis=-1) - 1).max() > 0.1


def test_the_number_of_weights():
    attention, feed_forward, norm = 4 * D * D, 2 * D * F + F + D, 2 * D
    trainable = sum(np.prod(weight.shape) for weight in made().trainable_variables)
    assert trainable == attention + feed_forward + 2 * norm


def made_causal(norm_first):
    layer = EncoderLayer(N, F, norm_first=norm_first, causal=True)
    layer.build((B, T, D))
    randomize(layer)
    return layer


@both_orders
def test_causal_it_is_that_of_the_beginning_up_to_each_position(norm_first):
    layer, x, mask = made_causal(norm_first), vectors(B, T, D), padding_masks(B, T)
    encoded = numpy(layer(x, mask=mask))
    for b in range(B):
        for t in range(T):
            expected = encoder_layer(x[b, : t + 1], layer, mask[b, : t + 1])[t]
            np.testing.assert_allclose(encoded[b, t], expected, atol=2e-5)


@both_orders
@pytest.mark.parametrize("max_length", [T + 2, None], ids=["fixed", "growing"])
def test_token_by_token_it_is_the_same(norm_first, max_length):
    layer, x = made_causal(norm_first), vectors(B, T, D)
    cache = layer.empty_cache(B, max_length)
    for index, expected in enumerate(numpy(layer(x)).swapaxes(0, 1)):
        one, cache = layer.step(ops.convert_to_tensor(x[:, index]), cache, index)
        np.testing.assert_allclose(numpy(one), expected, atol=1e-5)


def test_a_step_of_a_layer_that_sees_both_sides_is_refused():
    layer, x = made(), ops.convert_to_tensor(vectors(B, D))
    with pytest.raises(ValueError, match=r"step\(\) on a layer with causal=False"):
        layer.step(x, layer.empty_cache(B, T), 0)
