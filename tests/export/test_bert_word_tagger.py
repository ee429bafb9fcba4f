"""Strings in, words and their labels out: here, and in a server's process."""

import keras
import numpy as np
import pytest
from served_texts import ask_in_a_fresh_process

from keras_attention.export.bert_word_tagger import BertWordTagger
from keras_attention.models.bert import Bert
from keras_attention.models.bert_tagger import BertTagger
from keras_attention.text.wordpiece import WordPieceTokenizer

pytestmark = pytest.mark.tensorflow

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a", "##b"]
TEXTS = ["a  b", "ab zzz ba", "", "\tA", "a b a b a b a b a b", "ä \x01 b"]


@pytest.fixture(scope="module")
def tagger():
    keras.utils.set_random_seed(0)
    bert = Bert(9, num_layers=1, d_model=12, num_heads=3, d_ff=20, max_length=9)
    model = BertTagger(bert, ["noun", "verb", "other"])
    for weight in model.trainable_weights:
        weight.assign(3 * weight)  # so that words differ
    return BertWordTagger(model, WordPieceTokenizer(PIECES))


def test_each_word_has_the_label_of_its_first_piece(tagger):
    ids, positions = np.array([[2, 5, 8, 1, 6, 7, 3]]), np.array([[1, 3, 4]])
    inputs = {"token_ids": ids, "segment_ids": 0 * ids, "positions": positions}
    logits = np.array(tagger.model(inputs))[0]
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    (found,) = tagger(["ab zzz ba"])
    assert [word for word, _, _ in found] == ["ab", "zzz", "ba"]
    best = logits.argmax(axis=-1)
    assert [tagged.label for tagged in found] == [tagger.labels[id] for id in best]
    np.testing.assert_allclose(
        [tagged.probability for tagged in found], probabilities.max(axis=-1), atol=1e-5
    )


def test_words_are_as_they_were_and_those_cut_off_are_left_out(tagger):
    words = [[word for word, _, _ in found] for found in tagger(TEXTS, batch_size=2)]
    assert words == [
        ["a", "b"],
        ["ab", "zzz", "ba"],
        [],
        ["A"],
        ["a", "b", "a", "b", "a", "b", "a"],
        ["ä", "\x01", "b"],
    ]


def test_a_text_has_its_labels_whatever_is_asked_with_it(tagger):
    for text, expected in zip(TEXTS, tagger(TEXTS)):
        (alone,) = tagger([text])
        assert [tagged[:2] for tagged in alone] == [tagged[:2] for tagged in expected]


def test_a_server_gives_the_same(tagger, tmp_path):
    tagger.export(tmp_path / "1")
    found = ask_in_a_fresh_process(tmp_path / "1", serving_default={"text": TEXTS})
    found = found["serving_default"]
    rows = zip(found["words"], found["labels"], found["probabilities"])
    for tagged, (words, labels, probabilities) in zip(tagger(TEXTS), rows):
        number = len(tagged)
        assert [one.word for one in tagged] == words[:number]
        assert [one.label for one in tagged] == labels[:number]
        assert not any(words[number:]) and not any(labels[number:])
        expected = [one.probability for one in tagged]
        np.testing.assert_allclose(probabilities[:number], expected, atol=1e-5)
