"""Words as bytes between marks; sentences between START and END."""

import numpy as np
import pytest

from keras_attention.text.spelling import NUM_CHARACTERS, spell

SOS, EOS, SOW, EOW = 257, 258, 259, 260


def letters(word):
    return [SOW, *(byte + 1 for byte in word.encode()), EOW]


def padded(word, length):
    return word + [0] * (length - len(word))


def test_a_sentence_is_spelled_between_its_marks():
    ids = spell([["ab", "é"], ["c"]], max_characters=6)
    assert ids.dtype == np.int32
    words = [[SOW, SOS, EOW], letters("ab"), letters("é"), [SOW, EOS, EOW]]
    assert ids[0].tolist() == [padded(word, 6) for word in words]
    words = [[SOW, SOS, EOW], letters("c"), [SOW, EOS, EOW], []]
    assert ids[1].tolist() == [padded(word, 6) for word in words]


def test_all_bytes_have_ids_of_their_own():
    ids = spell([[chr(code) for code in (0, 127, 128, 0x10FFFF)]], 8)
    assert ids.min() == 0 and ids.max() < NUM_CHARACTERS
    assert ids[0, 1, :3].tolist() == [SOW, 1, EOW]
    assert ids[0, 4, 1:5].tolist() == [0xF4 + 1, 0x8F + 1, 0xBF + 1, 0xBF + 1]


def test_long_words_are_cut_off():
    long, short = spell([["x" * 1000], ["x" * 4]], max_characters=6)
    np.testing.assert_array_equal(long, short)
    assert long[1].tolist() == letters("xxxx")


@pytest.mark.parametrize("sentences, shape", [([], (0, 2, 9)), ([[]], (1, 2, 9))])
def test_no_sentence_and_no_word_are_spelled_too(sentences, shape):
    assert spell(sentences, 9).shape == shape


def test_a_sentence_must_be_a_list():
    with pytest.raises(TypeError, match="spell: got the sentence 'a dog' as one str"):
        spell(["a dog"])


@pytest.mark.parametrize("word", [None, 3, b"dog"], ids=repr)
def test_a_word_must_be_a_string(word):
    with pytest.raises(TypeError, match=rf"spell: got {word!r} .* in sentence 1"):
        spell([["a"], [word]])


def test_an_empty_word_is_refused():
    with pytest.raises(ValueError, match="spell: got an empty word in sentence 1"):
        spell([["a"], ["a", ""]])


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(ValueError, match=r"spell: got the word 'a\\ud83d' with half"):
        spell([["a\ud83d"]])


def test_there_must_be_room_for_a_letter():
    with pytest.raises(ValueError, match="spell: got max_characters=2, but"):
        spell([["a"]], max_characters=2)
