"""A sentence's vector is its own, whatever is encoded with it."""

import numpy as np
import pytest
from served_texts import ask_in_a_fresh_process

from keras_attention.export.sentence_encoder import SentenceEncoder
from keras_attention.models.bert import Bert
from keras_attention.text.wordpiece import WordPieceTokenizer

pytestmark = pytest.mark.tensorflow

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a", "##b"]
TEXTS = ["a b", "ab ba", "", "b" * 30, "zzz", "a a a a a a a a a a"]


def make(**settings):
    bert = Bert(9, num_layers=2, d_model=12, num_heads=3, d_ff=20, max_length=16)
    return SentenceEncoder(bert, WordPieceTokenizer(PIECES), **settings)


@pytest.fixture(scope="module")
def encoder():
    return make()


def test_vectors_have_length_one_and_the_order_of_the_texts(encoder):
    vectors = encoder(TEXTS)
    assert vectors.shape == (6, 12) and vectors.dtype == "float32"
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    alone = np.concatenate([encoder([text]) for text in TEXTS])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    np.testing.assert_allclose(encoder(TEXTS, batch_size=2), alone, atol=1e-5)


def test_a_vector_is_the_mean_over_the_tokens_that_are_there(encoder):
    ids = np.array([[2, 5, 8, 3]])
    hidden = np.array(encoder.model({"token_ids": ids, "segment_ids": 0 * ids}))[0]
    mean = hidden.mean(axis=0)
    expected = mean / np.linalg.norm(mean)
    np.testing.assert_allclose(encoder(["ab", "a a a a"])[0], expected, atol=1e-5)


def test_no_text_has_no_vector(encoder):
    assert encoder([]).shape == (0, 12)


def test_a_long_text_is_cut_off(encoder):
    short = make(max_length=4)
    short.model.set_weights(encoder.model.get_weights())
    np.testing.assert_allclose(short(["a b a b"]), short(["a b"]), atol=1e-6)


def test_the_server_s_loader_gives_the_same_vectors(encoder, tmp_path):
    encoder.export(tmp_path / "1")
    found = ask_in_a_fresh_process(tmp_path / "1", serving_default={"text": TEXTS})
    found = found["serving_default"]["embedding"]
    np.testing.assert_allclose(found, encoder(TEXTS), atol=1e-5)


@pytest.mark.parametrize("max_length", [2, 17])
def test_a_length_out_of_range_is_refused(max_length):
    with pytest.raises(ValueError, match=rf"max_length={max_length}, but .* 3 to 16"):
        make(max_length=max_length)


def test_a_tokenizer_that_does_not_fit_is_refused():
    bert = Bert(8, num_layers=1, d_model=6, num_heads=2, d_ff=8)
    with pytest.raises(ValueError, match="9 pieces and a model with vocab_size=8"):
        SentenceEncoder(bert, WordPieceTokenizer(PIECES))


def test_one_text_is_no_list(encoder):
    with pytest.raises(TypeError, match="got one str"):
        encoder("a b")
