"""Texts of any number are answered in their order, each by itself."""

import pytest
import tensorflow as tf

from keras_attention.export.translator import graph_function
from keras_attention.export.wordpiece_model import TEXT, WordPieceModel
from keras_attention.models.bert import Bert
from keras_attention.text.wordpiece import WordPieceTokenizer

pytestmark = pytest.mark.tensorflow

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a", "##b"]


class Counter(WordPieceModel):
    """Counts tokens, and notes how many texts it was asked at once."""

    def signatures(self):
        return {"serving_default": graph_function(self.count, TEXT)}

    def count(self, text):
        ids = self.tokenizer.encode(text, max_length=self.max_length)["token_ids"]
        together = tf.fill(tf.shape(ids)[:1], tf.shape(ids)[0])
        return {"tokens": tf.math.count_nonzero(ids, axis=1), "together": together}


@pytest.fixture(scope="module")
def bert():
    return Bert(9, num_layers=1, d_model=6, num_heads=2, d_ff=8, max_length=16)


@pytest.fixture(scope="module")
def counter(bert):
    return Counter(bert, bert, WordPieceTokenizer(PIECES), max_length=8)


def test_answers_have_the_order_of_the_texts(counter):
    texts = ["a", "a b a", "", "b b b b b b b b b", "a b"]
    answers = counter.ask("serving_default", [texts], batch_size=2)
    assert [answer["tokens"] for answer in answers] == [3, 5, 2, 8, 4]
    assert [answer["together"] for answer in answers] == [2, 2, 1, 2, 2]
    assert counter.ask("serving_default", [[]]) == []


def test_the_model_s_own_length_is_the_longest(bert):
    assert Counter(bert, bert, WordPieceTokenizer(PIECES)).max_length == 16


@pytest.mark.parametrize("max_length", [2, 17])
def test_a_length_out_of_range_is_refused(bert, max_length):
    message = rf"Counter: got max_length={max_length}, but .* from 3 to 16"
    with pytest.raises(ValueError, match=message):
        Counter(bert, bert, WordPieceTokenizer(PIECES), max_length)


def test_a_tokenizer_that_does_not_fit_is_refused(bert):
    tokenizer = WordPieceTokenizer([*PIECES, "c"])
    message = "Counter: got a tokenizer of 10 pieces .* vocab_size=9"
    with pytest.raises(ValueError, match=message):
        Counter(bert, bert, tokenizer)


def test_texts_that_are_none_are_refused(counter):
    with pytest.raises(TypeError, match="got one str"):
        counter.ask("serving_default", ["a b"])
    with pytest.raises(ValueError, match="Counter: got batch_size=0"):
        counter.ask("serving_default", [["a"]], batch_size=0)
