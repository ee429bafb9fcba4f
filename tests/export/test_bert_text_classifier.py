"""Strings in, classes out: here, in a graph, and in a server's process."""

import keras
import numpy as np
import pytest
from served_texts import ask_in_a_fresh_process

from keras_attention.export.bert_text_classifier import BertTextClassifier
from keras_attention.models.bert import Bert
from keras_attention.models.bert_classifier import BertClassifier
from keras_attention.text.wordpiece import WordPieceTokenizer

pytestmark = pytest.mark.tensorflow

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a", "##b"]
CLASSES = ["good", "bad", "süß"]
TEXTS = ["a b", "ab ba", "", "b" * 30, "zzz", "a a a a a a a a a a"]
SECONDS = ["b", "a a a a a a", "b a", "", "a", "b b b b b b b b b b b b b b"]


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(0)
    bert = Bert(9, num_layers=1, d_model=12, num_heads=3, d_ff=20, max_length=16)
    model = BertClassifier(bert, CLASSES)
    for weight in model.trainable_weights:
        weight.assign(3 * weight)  # so that texts differ
    return BertTextClassifier(model, WordPieceTokenizer(PIECES))


def test_probabilities_are_the_model_s_in_the_order_of_the_texts(classifier):
    ids = np.array([[2, 5, 8, 3]])
    logits = np.array(classifier.model({"token_ids": ids, "segment_ids": 0 * ids}))[0]
    expected = np.exp(logits) / np.exp(logits).sum()
    found = classifier.probabilities(["b b b b b", "ab"], batch_size=1)
    np.testing.assert_allclose(found[1], expected, atol=1e-5)
    assert found.dtype == np.float32
    together = classifier.probabilities(TEXTS)
    alone = np.concatenate([classifier.probabilities([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert classifier(TEXTS) == [CLASSES[index] for index in alone.argmax(axis=1)]


def test_a_pair_is_two_segments(classifier):
    ids, segments = np.array([[2, 5, 8, 3, 6, 3]]), np.array([[0, 0, 0, 0, 1, 1]])
    logits = np.array(classifier.model({"token_ids": ids, "segment_ids": segments}))[0]
    expected = np.exp(logits) / np.exp(logits).sum()
    (found,) = classifier.probabilities(["ab"], ["b"])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_text_has_no_class(classifier):
    assert classifier.probabilities([]).shape == (0, 3)
    assert classifier([]) == []


def test_a_server_gives_the_same_for_texts_and_for_pairs(classifier, tmp_path):
    classifier.export(tmp_path / "1")
    served = ask_in_a_fresh_process(
        tmp_path / "1",
        serving_default={"text": TEXTS},
        pair={"text": TEXTS, "second_text": SECONDS},
    )
    found = served["serving_default"]
    expected = classifier.probabilities(TEXTS)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    assert found["class"] == classifier(TEXTS)
    assert found["classes"] == [CLASSES] * len(TEXTS)
    expected = classifier.probabilities(TEXTS, SECONDS)
    np.testing.assert_allclose(served["pair"]["probabilities"], expected, atol=1e-5)


def test_each_text_needs_its_second(classifier):
    message = "BertTextClassifier: got 2 texts and 1 second texts"
    with pytest.raises(ValueError, match=message):
        classifier(["a", "b"], ["a"])
