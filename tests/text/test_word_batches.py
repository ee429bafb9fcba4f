"""Each place has the word behind it and the word before it; all of them are spelled."""

import numpy as np
import pytest

from keras_attention.text.spelling import spell
from keras_attention.text.word_batches import WordBatches

SENTENCES = [["a", "dog"], ["a", "cat", "and", "a", "dog"], ["owls"], []]
VOCABULARY = ["a", "dog", "cat"]  # 4, 5, 6
SETTINGS = {"max_characters": 8, "batch_tokens": 12, "shuffle": False}


def batches(**settings):
    return WordBatches(SENTENCES, VOCABULARY, **{**SETTINGS, **settings})


def test_labels_are_the_words_on_both_sides():
    found = WordBatches(SENTENCES[1:2], VOCABULARY, **SETTINGS)
    assert found.vocab_size == 7
    ((characters, labels),) = found
    assert labels["forward"].tolist() == [[4, 6, 1, 4, 5, 3, 0]]
    assert labels["backward"].tolist() == [[0, 2, 4, 6, 1, 4, 5]]
    np.testing.assert_array_equal(characters, spell(SENTENCES[1:2], 8))


def test_padding_has_no_labels_and_no_letters():
    (characters, labels), *rest = batches(num_widths=1, batch_tokens=24)
    assert not rest
    np.testing.assert_array_equal(characters, spell(SENTENCES, 8))
    assert labels["forward"][3].tolist() == [3, 0, 0, 0, 0, 0, 0]
    assert labels["backward"][3].tolist() == [0, 2, 0, 0, 0, 0, 0]
    real = characters.any(axis=-1)
    for direction in labels.values():
        assert not direction[~real].any()
        assert (direction[real] != 0).sum() == real.sum() - len(SENTENCES)


def test_a_word_that_is_not_guessed_is_spelled_all_the_same():
    found = WordBatches([["owls", "a"]], ["a"], **SETTINGS)
    ((characters, labels),) = found
    assert labels["forward"].tolist() == [[1, 4, 3, 0]]
    np.testing.assert_array_equal(characters, spell([["owls", "a"]], 8))


def test_narrow_batches_are_not_padded_to_wide_ones():
    widths = sorted(characters.shape[1] for characters, _ in batches(num_widths=3))
    assert widths[0] < 4 and widths[-1] == 7


def test_the_seed_decides_the_order():
    text = [["a"] * length for length in (1, 2, 1, 2, 1, 2, 1, 1)]

    def order(seed):
        found = WordBatches(
            text, ["a"], max_characters=4, batch_tokens=4, seed=seed, num_widths=2
        )
        return [labels["forward"].tolist() for _, labels in found]

    assert order(0) == order(0) != order(1)


def test_too_long_sentences_are_dropped_with_a_word():
    with pytest.warns(UserWarning, match="WordBatches: dropped 1 of 4 pairs"):
        found = batches(max_length=4)
    assert max(characters.shape[1] for characters, _ in found) < 7


@pytest.mark.parametrize(
    "sentences, vocabulary, message",
    [
        ([], ["a"], "got 0 sentences without a word"),
        ([[], []], ["a"], "got 2 sentences without a word"),
        ([["a"]], [], "got 0 words as vocabulary"),
        ([["a"]], ["b", "a", "b"], "got 'b' 2 times in the vocabulary"),
        ([["a", ""]], ["a"], "got an empty word in sentence 0"),
    ],
)
def test_what_can_not_be_learned_is_refused(sentences, vocabulary, message):
    with pytest.raises(ValueError, match=f"WordBatches: {message}"):
        WordBatches(sentences, vocabulary)


def test_a_sentence_must_be_a_list():
    with pytest.raises(TypeError, match="WordBatches: got the sentence 'a dog' as one"):
        WordBatches(["a dog"], ["a"])


def test_there_must_be_room_for_a_letter():
    with pytest.raises(ValueError, match="WordBatches: got max_characters=1, but"):
        batches(max_characters=1)
