"""In the graph as in NumPy: the same words have the same characters."""

import numpy as np
import pytest
import tensorflow as tf

from keras_attention.text.character_tokenizer import CharacterTokenizer
from keras_attention.text.spelling import spell

pytestmark = pytest.mark.tensorflow

TEXTS = [
    "A dog's life!",
    "",
    " \t\n",
    "Ünïcode: 日本語、テスト",
    "x" * 100_000 + " y",
    "a\x00b c",
    "안녕하세요\u3000여러분\u00a0x\u2028y",
    "😀👍🏽 it",
    "ne\u0301e",
    "שלום עולם",
    "snake_case t-shirt 3.5%",
]
WORDS = [
    ["a", "dog", "'", "s", "life", "!"],
    [],
    [],
    ["ünïcode", ":", "日本語", "、", "テスト"],
    ["x" * 100_000, "y"],
    ["a", "b", "c"],
    ["안녕하세요", "여러분", "x", "y"],
    ["😀", "👍", "🏽", "it"],
    ["ne\u0301e"],
    ["שלום", "עולם"],
    ["snake_case", "t", "-", "shirt", "3", ".", "5", "%"],
]


@pytest.fixture(scope="module")
def tokenizer():
    return CharacterTokenizer(max_characters=11)


@pytest.fixture(scope="module")
def graph(tokenizer):
    """Texts (B,) -> their characters, traced once."""

    def characters(texts):
        return tokenizer.spell(tokenizer.split(texts))

    return tf.function(characters, [tf.TensorSpec((None,), tf.string)])


def test_words_end_at_space_and_punctuation(tokenizer):
    assert tokenizer.words(TEXTS) == WORDS


def test_the_graph_spells_as_numpy_does(graph):
    np.testing.assert_array_equal(graph(tf.constant(TEXTS)), spell(WORDS, 11))
    np.testing.assert_array_equal(graph(tf.constant([""])), spell([[]], 11))
    none = graph(tf.constant([], tf.string))
    assert none.shape == (0, 2, 11)


def test_what_is_no_utf_8_is_marked_and_hides_nothing(tokenizer):
    words = tokenizer.words([b"bad \xff\xfe x\xc3"])
    assert words == [["bad", "\ufffd", "\ufffd", "x", "\ufffd"]]


def test_large_letters_may_be_kept():
    tokenizer = CharacterTokenizer(lowercase=False)
    assert tokenizer.words(["A Dog"]) == [["A", "Dog"]]


def test_long_sentences_are_cut_off():
    tokenizer = CharacterTokenizer(max_characters=5, max_length=4)
    words = tokenizer.split(["a b c d", "e"])
    assert words.to_list() == [[b"a", b"b"], [b"e"]]
    np.testing.assert_array_equal(tokenizer.spell(words), spell([["a", "b"], ["e"]], 5))


def test_there_must_be_room():
    with pytest.raises(ValueError, match="CharacterTokenizer: got max_characters=2"):
        CharacterTokenizer(max_characters=2)
    with pytest.raises(ValueError, match="CharacterTokenizer: got max_length=2, but"):
        CharacterTokenizer(max_length=2)
