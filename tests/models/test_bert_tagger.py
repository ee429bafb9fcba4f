"""A word's label is read off its first piece; what is no word counts for nothing."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.models.bert import Bert
from keras_attention.models.bert_tagger import BertTagger

IDS = np.array([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]])
INPUTS = {
    "token_ids": IDS,
    "segment_ids": 0 * IDS,
    "positions": np.array([[1, 3], [1, 0]]),
}


@pytest.fixture(scope="module")
def tagger():
    keras.utils.set_random_seed(0)
    bert = Bert(17, num_layers=1, d_model=12, num_heads=3, d_ff=20, max_length=16)
    return BertTagger(bert, ["noun", "verb", "other"], dropout_rate=0.0)


def test_the_logits_are_a_dense_layer_on_the_word_s_vector(tagger):
    inputs = {"token_ids": IDS, "segment_ids": 0 * IDS}
    hidden = ops.convert_to_numpy(tagger.bert(inputs))
    kernel, bias = map(ops.convert_to_numpy, tagger.label_output.weights)
    expected = hidden[[0, 0, 1], [1, 3, 1]] @ kernel + bias
    found = ops.convert_to_numpy(tagger(INPUTS))
    np.testing.assert_allclose(found[[0, 0, 1], [0, 1, 0]], expected, atol=1e-5)


def test_keras_s_loss_is_the_mean_over_words(tagger):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    tagger.compile("sgd", loss, metrics=["accuracy"])
    labels = np.array([[0, 2], [1, 0]])
    found = tagger.evaluate(INPUTS, labels, verbose=0, return_dict=True)
    logits = ops.convert_to_numpy(tagger(INPUTS)).astype("float64")
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    words = ([0, 0, 1], [0, 1, 0])
    expected = -np.mean(log_probs[(*words, labels[words])])
    assert found["loss"] == pytest.approx(expected, abs=1e-5)
    right = np.mean(logits[words].argmax(-1) == labels[words])
    assert found["accuracy"] == pytest.approx(right)


def test_a_file_holds_all_of_it(tagger, tmp_path):
    tagger.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.labels == ["noun", "verb", "other"]
    assert loaded.get_config() == tagger.get_config()
    found, expected = loaded(INPUTS), tagger(INPUTS)
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (found, expected)))


def test_what_is_no_choice_is_refused(tagger):
    with pytest.raises(ValueError, match=r"BertTagger: got labels=\['noun'\]"):
        BertTagger(tagger.bert, ["noun"])
    with pytest.raises(TypeError, match="BertTagger: got bert of type str"):
        BertTagger("bert", ["noun", "verb"])
