"""A sentence's class is its own, whatever is classified with it."""

import json
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.export.sentence_classifier import SentenceClassifier

pytestmark = pytest.mark.tensorflow

TEXTS = ["a b", "ab ba", "", "b" * 30, "zzz", "a a a a a a a a a a"]
CLASSES = ["rain", "snow", "눈"]

# Loads the export as TensorFlow does and as its server does, without the package.
PROGRAM = """
import json, sys
import tensorflow as tf, tensorflow_text
folder, texts = sys.argv[1], json.loads(sys.argv[2])
served = tf.saved_model.load(folder).signatures["serving_default"]
one = served(text=tf.constant(texts))
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    model = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    signature = model.signature_def["serving_default"]
    outputs = {name: output.name for name, output in signature.outputs.items()}
    other = session.run(outputs, {signature.inputs["text"].name: texts})
print(json.dumps({
    "classes": [[name.decode() for name in row] for row in other["classes"]],
    "class": [name.decode() for name in other["class"]],
    "same": bool((one["class"].numpy() == other["class"]).all()),
    "probabilities": [one["probabilities"].numpy().tolist(),
                      other["probabilities"].tolist()],
}))
assert "keras_attention" not in sys.modules
"""


def make(**settings):
    keras.utils.set_random_seed(0)
    tokenizer = ka.SubwordTokenizer.train(["ab"], model_type="char")
    model = ka.TextClassifier(
        tokenizer.vocab_size, 3, num_layers=2, d_model=12, num_heads=3, d_ff=20
    )
    for weight in model.trainable_weights:  # so that classes depend on the texts
        weight.assign(3 * weight)
    return SentenceClassifier(model, tokenizer, CLASSES, **settings)


@pytest.fixture(scope="module")
def classifier():
    return make()


def test_probabilities_sum_to_one_in_the_order_of_the_texts(classifier):
    found = classifier.probabilities(TEXTS)
    assert found.shape == (6, 3) and found.dtype == "float32"
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    alone = np.concatenate([classifier.probabilities([text]) for text in TEXTS])
    np.testing.assert_allclose(found, alone, atol=1e-5)
    np.testing.assert_allclose(
        classifier.probabilities(TEXTS, batch_size=2), alone, atol=1e-5
    )
    assert classifier(TEXTS) == [CLASSES[row.argmax()] for row in found]
    assert classifier([]) == [] and classifier.probabilities([]).shape == (0, 3)


def test_the_model_sees_the_same_ids_while_it_learns(classifier):
    ids = classifier.token_ids(TEXTS[:3])
    assert ids.dtype == "int32" and ids[2].tolist() == [3, 0, 0, 0, 0, 0]
    logits = np.array(classifier.model(ids))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.probabilities(TEXTS[:3]), expected, atol=1e-5)


def test_a_long_text_is_cut_off():
    short = make(max_length=3)
    assert short.token_ids(["abab"]).shape == (1, 3)
    np.testing.assert_array_equal(
        short.probabilities(["abab"]), short.probabilities(["ab"])
    )


def test_a_fresh_process_gives_the_same_classes_by_both_loaders(classifier, tmp_path):
    classifier.export(tmp_path / "1")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "1")]
    process = subprocess.run(
        [*command, json.dumps(TEXTS)],
        env=environment,
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    found = json.loads(process.stdout)
    assert found["classes"] == [CLASSES] * len(TEXTS) and found["same"]
    assert found["class"] == classifier(TEXTS)
    for probabilities in found["probabilities"]:
        np.testing.assert_allclose(
            probabilities, classifier.probabilities(TEXTS), atol=1e-5
        )


def test_what_does_not_fit_the_model_is_refused(classifier):
    other = ka.SubwordTokenizer.train(["abc"], model_type="char")
    tokenizer, model = classifier.tokenizer, classifier.model
    pieces = rf"a tokenizer of {other.vocab_size} pieces and .* vocab_size="
    with pytest.raises(ValueError, match=f"SentenceClassifier: got {pieces}"):
        SentenceClassifier(model, other, CLASSES)
    for classes in (["rain", "snow"], ["rain", "snow", "rain"]):
        with pytest.raises(ValueError, match=r"got classes=\[.*num_classes=3, but"):
            SentenceClassifier(model, tokenizer, classes)
    with pytest.raises(ValueError, match="SentenceClassifier: got max_length=1, but"):
        SentenceClassifier(model, tokenizer, CLASSES, max_length=1)


def test_one_text_is_no_list(classifier):
    with pytest.raises(TypeError, match="SentenceClassifier: got one str"):
        classifier("a b")
    with pytest.raises(TypeError, match="SentenceClassifier: got one str"):
        classifier.token_ids("a b")
    with pytest.raises(ValueError, match="SentenceClassifier: got batch_size=0"):
        classifier(["a"], batch_size=0)
