import math

import numpy as np
import pytest
from keras import ops
from references import numpy, vectors

from keras_attention.layers.token_embedding import TokenEmbedding

B, T, D, V = 2, 5, 12, 13


def ids():
    return np.random.default_rng(0).integers(0, V, (B, T)).astype("int32")


def test_each_token_gets_its_vector_times_the_root_of_the_width():
    layer = TokenEmbedding(V, D)
    embedded, table = numpy(layer(ids())), numpy(layer.embeddings)
    for b in range(B):
        for t in range(T):
            expected = table[ids()[b, t]] * math.sqrt(D)
            np.testing.assert_allclose(embedded[b, t], expected, rtol=1e-6)


def test_logits_are_products_with_the_vector_of_each_token():
    layer, x = TokenEmbedding(V, D), vectors(B, T, D)
    logits = numpy(layer.project(x))
    assert logits.shape == (B, T, V)
    np.testing.assert_allclose(logits, x @ numpy(layer.embeddings).T, atol=1e-5)


def test_unscaled_each_token_gets_its_vector():
    layer = TokenEmbedding(V, D, scaled=False)
    embedded, table = numpy(layer(ids())), numpy(layer.embeddings)
    np.testing.assert_array_equal(embedded, table[ids()])


def test_a_bias_is_added_to_the_logits():
    layer, x = TokenEmbedding(V, D, use_bias=True), vectors(B, T, D)
    without = numpy(layer.project(x))
    bias = np.arange(V, dtype="float32")
    layer.bias.assign(bias)
    np.testing.assert_allclose(numpy(layer.project(x)), without + bias, atol=1e-5)


def test_both_directions_share_one_matrix():
    layer = TokenEmbedding(V, D)
    layer.project(layer(ids()))
    assert [tuple(weight.shape) for weight in layer.weights] == [(V, D)]


def test_vectors_and_logits_start_with_a_variance_of_one():
    layer = TokenEmbedding(1009, 64)
    embedded = numpy(layer(np.arange(1009)[None]))
    assert embedded.var() == pytest.approx(1, rel=0.05)
    logits = numpy(layer.project(vectors(1, 50, 64)))
    assert logits.var() == pytest.approx(1, rel=0.05)


def test_its_mask_is_where_the_id_is_not_padding():
    mask = TokenEmbedding(V, D).compute_mask(np.array([[5, 0, 1, 0]]))
    assert ops.convert_to_numpy(mask).tolist() == [[True, False, True, False]]


@pytest.mark.parametrize("wrong", [-1, V, 999])
def test_an_id_outside_of_the_vocabulary_is_refused(wrong):
    given = ids()
    given[0, 2] = wrong
    message = (
        rf"words: got the id {wrong} \(1 of 10 ids are outside\), but vocab_size=13 "
        "has ids from 0 to 12"
    )
    for kind in (given, given.tolist()):
        with pytest.raises(ValueError, match=message):
            TokenEmbedding(V, D, name="words")(kind)


def test_ids_that_are_no_integers_are_refused():
    message = "words: got ids of dtype float64, but ids are whole numbers"
    with pytest.raises(TypeError, match=message):
        TokenEmbedding(V, D, name="words")(np.array([[1.0, 2.0]]))
