"""Sentences in, what a model of characters makes of them out; here and where served."""

import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from keras_attention.export.text_model import TextModel
from keras_attention.layers.scalar_mix import ScalarMix
from keras_attention.models.elmo import Elmo
from keras_attention.text.character_tokenizer import CharacterTokenizer
from keras_attention.text.spelling import spell

pytestmark = pytest.mark.tensorflow

C, D = 9, 6
TEXTS = [
    "A bat flies.",
    "",
    "x" * 1000,
    "the bat, the ball and the bat",
    "日本\x00語 😀",
]
WORDS = [["<s>", "a", "bat", "flies", ".", "</s>"], ["<s>", "</s>"]]

# Loads the export as TensorFlow Serving does, without the package.
SERVER = """
import sys
import numpy as np, tensorflow as tf
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    model = tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1])
    signature = model.signature_def["serving_default"]
    text = signature.inputs["text"].name
    names = {name: output.name for name, output in signature.outputs.items()}
    texts = np.load(sys.argv[3])
    np.savez(sys.argv[2], **session.run(names, {text: np.char.encode(texts)}))
assert not {"keras_attention", "tensorflow_text"} & set(sys.modules)
"""


def make(per_word=False):
    """ELMo and a mix of its layers, and behind it two classes, or nothing."""
    elmo = Elmo(7, num_layers=1, d_model=D, filters=[[1, 4], [3, 5]], max_characters=C)
    characters = keras.Input((None, C), dtype="int32")
    x = ScalarMix(2)(elmo.encoder()(characters))
    if per_word:
        return keras.Model(characters, {"vectors": x})
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(characters, keras.layers.Dense(2, activation="softmax")(x))


@pytest.fixture(scope="module")
def texts():
    return TextModel(make(), CharacterTokenizer(C))


def test_the_answer_is_that_of_the_model(texts):
    found = texts(TEXTS[:2])["output"]
    expected = texts.model(spell([words[1:-1] for words in WORDS], C)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == "float32"


def test_no_answer_depends_on_other_sentences(texts):
    together = texts(TEXTS)["output"]
    alone = np.concatenate([texts([text])["output"] for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_no_sentence_has_no_answer(texts):
    assert texts([])["output"].shape == (0, 2)


def test_each_word_has_a_vector_at_its_place():
    texts = TextModel(make(per_word=True), CharacterTokenizer(C))
    found = texts(TEXTS[:2])
    assert found["words"].astype(str).tolist() == [WORDS[0], WORDS[1] + [""] * 4]
    assert found["vectors"].shape == (2, 6, 2 * D)
    expected = texts.model(spell([WORDS[0][1:-1]], C))["vectors"][0]
    np.testing.assert_allclose(found["vectors"][0], expected, atol=1e-6)


def test_a_server_gives_the_same_answers(texts, tmp_path):
    folder = tmp_path / "1"
    texts.export(folder)
    # NumPy's strings end before NUL.
    asked = [text.replace("\x00", " ") for text in TEXTS]
    np.save(tmp_path / "texts.npy", asked)
    found = tmp_path / "found.npz"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", textwrap.dedent(SERVER)]
    subprocess.run(
        [*command, folder, found, tmp_path / "texts.npy"],
        env=environment,
        check=True,
        cwd=tmp_path,
    )
    expected = texts(TEXTS)
    with np.load(found, allow_pickle=True) as served:
        np.testing.assert_allclose(served["output"], expected["output"], atol=1e-5)
        np.testing.assert_array_equal(served["words"], expected["words"])


def test_half_the_bits_are_answered_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    found = TextModel(make(), CharacterTokenizer(C))(TEXTS[:2])["output"]
    assert found.dtype == "float32" and np.isfinite(found).all()


def test_words_of_another_length_are_refused(texts):
    message = r"TextModel: got a model of inputs \(None, None, 9\) .*max_characters=12"
    with pytest.raises(ValueError, match=message):
        TextModel(texts.model, CharacterTokenizer(12))


def test_one_text_is_no_list(texts):
    with pytest.raises(TypeError, match="TextModel: got one str"):
        texts("a bat")
