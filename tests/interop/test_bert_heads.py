"""The heads of a checkpoint say here what they say in transformers."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import bert_models
import numpy as np
import pytest
from keras import ops

from keras_attention.interop.hugging_face_bert import (
    load_bert,
    load_bert_classifier,
    load_bert_pretraining,
    load_bert_tagger,
)

pytestmark = pytest.mark.tensorflow
safetensors = pytest.importorskip(
    "safetensors.numpy", reason="BERT's weights need safetensors"
)

FIXTURE = pathlib.Path(__file__).parent / "bert_fixture"
# The Python that has transformers; it may be another one than that of the tests.
PYTHON = os.environ.get("TRANSFORMERS_PYTHON", sys.executable)
HAS_TRANSFORMERS = not subprocess.run(
    [
        PYTHON,
        "-c",
        "import importlib.util, sys; find = importlib.util.find_spec; "
        "sys.exit(not (find('torch') and find('transformers')))",
    ]
).returncode
needs_transformers = pytest.mark.skipif(
    not HAS_TRANSFORMERS, reason="compares with torch and transformers; not installed"
)

# Each with the sizes that differ.
MODELS = {
    "pre-training": {"architecture": "BertForPreTraining"},
    "masked tokens, one wide head": {
        "architecture": "BertForMaskedLM",
        "hidden_size": 10,
        "num_attention_heads": 1,
        "num_hidden_layers": 1,
    },
    "masked tokens, deep": {
        "architecture": "BertForMaskedLM",
        "num_hidden_layers": 4,
        "intermediate_size": 7,
    },
    "classes": {
        "architecture": "BertForSequenceClassification",
        "id2label": {0: "good", 1: "bad", 2: "fair"},
    },
    "two classes without names": {"architecture": "BertForSequenceClassification"},
    "labels": {
        "architecture": "BertForTokenClassification",
        "id2label": {0: "noun", 1: "verb", 2: "other"},
    },
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of each model."""
    root = tmp_path_factory.mktemp("bert")
    jobs = [
        {"folder": str(root / name), "seed": seed, **options}
        for seed, (name, options) in enumerate(MODELS.items())
    ]
    process = subprocess.run(
        [PYTHON, "-W", "ignore", bert_models.__file__],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return root


def answers(model, expected, positions=True):
    """What a model says of the tokens that transformers was asked about."""
    inputs = {name: expected[name] for name in ("token_ids", "segment_ids")}
    if positions:
        rows, length = inputs["token_ids"].shape
        inputs["positions"] = np.tile(np.arange(length), (rows, 1))
    found = model(inputs)
    found = found if isinstance(found, dict) else {"logits": found}
    return {name: ops.convert_to_numpy(logits) for name, logits in found.items()}


def assert_the_same(found, expected, token_ids):
    """Within 1e-4, wherever there is no padding."""
    np.testing.assert_allclose(
        found[token_ids != 0], expected[token_ids != 0], atol=1e-4
    )


def check_pretraining(folder):
    model, tokenizer = load_bert_pretraining(folder)
    expected = np.load(folder / "expected.npz")
    found = answers(model, expected)
    name = "prediction_logits" if model.next_sentence else "logits"
    assert_the_same(found["tokens"], expected[name], expected["token_ids"])
    if model.next_sentence:
        np.testing.assert_allclose(
            found["next"], expected["seq_relationship_logits"], atol=1e-4
        )
    return model


def test_the_fixture_says_what_transformers_said():
    assert check_pretraining(FIXTURE).next_sentence


@needs_transformers
@pytest.mark.parametrize("name", list(MODELS)[:3])
def test_hidden_tokens_and_next_sentences_are_as_in_transformers(made, name):
    model = check_pretraining(made / name)
    assert model.next_sentence == (name == "pre-training")


@needs_transformers
@pytest.mark.parametrize("name", ["classes", "two classes without names"])
def test_classes_are_as_in_transformers(made, name):
    model, _ = load_bert_classifier(made / name)
    expected = np.load(made / name / "expected.npz")
    found = answers(model, expected, positions=False)["logits"]
    np.testing.assert_allclose(found, expected["logits"], atol=1e-4)
    names = MODELS[name].get("id2label", {0: "LABEL_0", 1: "LABEL_1"})
    assert model.classes == list(names.values())


@needs_transformers
def test_labels_are_as_in_transformers(made):
    model, _ = load_bert_tagger(made / "labels")
    expected = np.load(made / "labels" / "expected.npz")
    found = answers(model, expected)["logits"]
    assert_the_same(found, expected["logits"], expected["token_ids"])
    assert model.labels == ["noun", "verb", "other"]


@pytest.fixture
def folder(tmp_path):
    """A copy of the fixture, to be changed."""
    return pathlib.Path(shutil.copytree(FIXTURE, tmp_path / "model"))


def change(folder, **tensors):
    """Give tensors other values; None takes one away."""
    path = folder / "model.safetensors"
    found = safetensors.load_file(path)
    for name, array in tensors.items():
        found.pop(name, None)
        if array is not None:
            found[name] = array
    safetensors.save_file(found, path)


def test_a_new_classifier_has_the_pooler_of_the_file(folder):
    model, _ = load_bert_classifier(folder, ["good", "bad"])
    pretraining, _ = load_bert_pretraining(folder)
    for found, expected in zip(model.pooler.weights, pretraining.pooler.weights):
        np.testing.assert_array_equal(found, expected)
    assert model.classes == ["good", "bad"]
    bert, _ = load_bert(folder)
    for found, expected in zip(model.bert.weights, bert.weights):
        np.testing.assert_array_equal(found, expected)


def test_a_new_head_needs_nothing_of_the_file(folder):
    change(folder, **{"bert.pooler.dense.weight": None, "bert.pooler.dense.bias": None})
    assert load_bert_classifier(folder, ["good", "bad"])[0].classes == ["good", "bad"]
    assert load_bert_tagger(folder, ["noun", "verb"])[0].labels == ["noun", "verb"]


@pytest.mark.parametrize(
    "name",
    [
        "cls.predictions.transform.dense.weight",
        "cls.predictions.transform.LayerNorm.bias",
        "cls.predictions.bias",
        "cls.seq_relationship.bias",
        "bert.pooler.dense.bias",
    ],
)
def test_a_missing_tensor_of_a_head_is_named(folder, name):
    change(folder, **{name: None})
    plain = name.removeprefix("bert.")
    with pytest.raises(ValueError, match=f"model.safetensors without .*{plain}"):
        load_bert_pretraining(folder)
    load_bert(folder)  # which needs none of them


def test_a_tensor_of_another_shape_is_named(folder):
    name = "cls.predictions.bias"
    change(folder, **{name: np.ones(9, "float32")})
    with pytest.raises(ValueError, match=rf"{name} of shape \(9,\).*\(21,\)"):
        load_bert_pretraining(folder)


def test_an_output_matrix_that_is_not_the_embedding_s_is_refused(folder):
    name = "cls.predictions.decoder.weight"
    change(folder, **{name: np.ones((21, 6), "float32")})
    with pytest.raises(ValueError, match=f"word_embeddings.weight and {name}, which"):
        load_bert_pretraining(folder)


@pytest.mark.parametrize("load", [load_bert_classifier, load_bert_tagger])
def test_a_file_without_the_head_that_is_asked_for_is_refused(folder, load):
    with pytest.raises(ValueError, match="without the tensor classifier.weight"):
        load(folder)
