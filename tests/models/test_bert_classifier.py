"""A class is read off the first token, and the Bert underneath learns along."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.models.bert import Bert
from keras_attention.models.bert_classifier import BertClassifier


def make(classes=("good", "bad", "fair"), **settings):
    bert = Bert(17, num_layers=1, d_model=12, num_heads=3, d_ff=20, max_length=16)
    return BertClassifier(bert, classes, **settings)


def run(model, ids):
    ids = np.asarray(ids)
    return ops.convert_to_numpy(model({"token_ids": ids, "segment_ids": 0 * ids}))


def test_the_head_is_that_of_the_paper():
    model, ids = make(), np.array([[2, 5, 6, 3]])
    first = run(model.bert, ids)[:, 0]
    kernel, bias, kernel_2, bias_2 = map(
        ops.convert_to_numpy, model.pooler.weights + model.class_output.weights
    )
    expected = np.tanh(first @ kernel + bias) @ kernel_2 + bias_2
    np.testing.assert_allclose(run(model, ids), expected, atol=1e-5)


def test_padding_changes_nothing():
    model = make()
    longer = run(model, [[2, 5, 6, 3, 0, 0]])
    np.testing.assert_allclose(longer, run(model, [[2, 5, 6, 3]]), atol=1e-5)


def test_it_drops_only_in_training():
    model, ids = make(dropout_rate=0.5), np.array([[2, 5, 6, 3]])
    inputs = {"token_ids": ids, "segment_ids": 0 * ids}
    once, again = (ops.convert_to_numpy(model(inputs, training=True)) for _ in "ab")
    assert np.abs(once - again).max() > 1e-4
    np.testing.assert_array_equal(run(model, ids), run(model, ids))


def test_one_step_moves_the_bert_and_a_frozen_one_stays():
    ids = np.array([[2, 5, 6, 3], [2, 7, 8, 3]])
    inputs = {"token_ids": ids, "segment_ids": 0 * ids}
    for frozen in (False, True):
        model = make(dropout_rate=0.0)
        model.bert.trainable = not frozen
        before = run(model.bert, ids)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.5), loss, run_eagerly=True)
        logits = run(model, ids)
        model.train_on_batch(inputs, np.array([0, 1]))
        assert np.array_equal(run(model.bert, ids), before) == frozen
        assert not np.array_equal(run(model, ids), logits)


def test_a_file_holds_all_of_it_and_the_names_of_the_classes(tmp_path):
    model, ids = make(), [[2, 5, 6, 3]]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.classes == ["good", "bad", "fair"] == model.classes
    np.testing.assert_array_equal(run(loaded, ids), run(model, ids))


def test_what_is_no_choice_is_refused():
    with pytest.raises(ValueError, match="BertClassifier: got classes=.*'good'"):
        make(["good", "good"])
    with pytest.raises(TypeError, match="BertClassifier: got bert of type NoneType"):
        BertClassifier(None, ["good", "bad"])
    with pytest.raises(ValueError, match="rate"):
        make(dropout_rate=1.5)


def test_a_bert_that_is_not_trained_stays_so(tmp_path):
    classifier = make()
    classifier.bert.trainable = False
    classifier.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert not again.bert.trainable
    assert len(again.trainable_variables) == len(classifier.trainable_variables) == 4
