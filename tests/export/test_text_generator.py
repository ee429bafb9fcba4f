"""A text begins with its prompt, and is the same from the export, seed for seed."""

import json
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_attention as ka
from keras_attention.export.text_generator import TextGenerator

pytestmark = pytest.mark.tensorflow

PROMPTS = ["ab", "", "c", "abca"]

# Loads the export as TensorFlow does and as its server does, without the package.
PROGRAM = """
import json, sys
import tensorflow as tf, tensorflow_text
folder, prompts = sys.argv[1], json.loads(sys.argv[2])
signatures = tf.saved_model.load(folder).signatures
scalars = {"seed": tf.constant(5), "temperature": tf.constant(2.0)}
found = {}
for name in ("serving_default", "greedy"):
    found[name] = signatures[name](text=tf.constant(prompts))["text"].numpy()
found["sample"] = signatures["sample"](text=tf.constant(prompts), **scalars)
found["sample"] = found["sample"]["text"].numpy()
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    model = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    signature = model.signature_def["sample"]
    inputs = {"text": prompts, "seed": 5, "temperature": 2.0}
    feed = {signature.inputs[name].name: value for name, value in inputs.items()}
    found["server"] = session.run(signature.outputs["text"].name, feed)
print(json.dumps({name: [t.decode() for t in found[name]] for name in found}))
assert "keras_attention" not in sys.modules
"""


@pytest.fixture(scope="module")
def tokenizer():
    return ka.SubwordTokenizer.train(["abc"], model_type="char")


def make(tokenizer, dtype=None, **settings):
    keras.utils.set_random_seed(0)
    gpt = ka.LanguageModel(
        tokenizer.vocab_size,
        num_layers=2,
        d_model=12,
        num_heads=3,
        d_ff=20,
        max_length=9,
        dtype=dtype,
    )
    return TextGenerator(gpt, tokenizer, **settings)


@pytest.fixture(scope="module")
def generator(tokenizer):
    return make(tokenizer)


@pytest.fixture(scope="module")
def exported(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "letters" / "1"
    generator.export(folder)
    return folder


def test_a_text_begins_with_its_prompt(generator):
    for texts in (generator(PROMPTS, seed=3), generator.greedy(PROMPTS)):
        assert all(text.startswith(p) for text, p in zip(texts, PROMPTS, strict=True))
        letters = [text.replace(" ⁇ ", "?") for text in texts]  # UNKNOWN
        assert all(len(text) <= 8 for text in letters)  # and END


def test_the_seed_decides_and_the_batch_does_not(generator):
    texts = generator(4 * PROMPTS, seed=3)
    assert generator(4 * PROMPTS, seed=3) == texts
    assert generator(4 * PROMPTS, seed=3, batch_size=3) == texts
    assert generator(4 * PROMPTS, seed=4) != texts
    assert len(set(texts)) > 8


def test_a_low_temperature_leaves_the_most_likely_text(generator):
    greedy = generator.greedy(PROMPTS)
    assert generator(PROMPTS, seed=1, temperature=1e-4) == greedy
    assert generator.greedy(PROMPTS, batch_size=1) == greedy


def test_top_k_of_one_is_the_most_likely_text(generator, tokenizer):
    assert make(tokenizer, top_k=1)(PROMPTS, seed=2) == generator.greedy(PROMPTS)


def test_a_score_is_the_sum_over_the_tokens_and_end(generator):
    log_probs, means = generator.score(["ab", "", "abca"], batch_size=2)
    gpt = generator.model
    ids = generator.tokenizer.tokenize(["ab"]).to_tensor().numpy()[0].tolist()
    logits = np.array(gpt.forbid(gpt(np.array([[2, *ids]]))))[0]  # (3, V)
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = sum(logits[t, token] for t, token in enumerate([*ids, 3]))
    np.testing.assert_allclose(log_probs[0], expected, rtol=1e-5)
    np.testing.assert_allclose(means, log_probs / [3, 1, 5], rtol=1e-6)


def test_no_prompts_are_no_texts(generator):
    assert generator([]) == generator.greedy([]) == []
    assert generator.score([]).log_probs.shape == (0,)


def test_a_fresh_process_writes_the_same_by_both_loaders(generator, exported):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(exported)]
    process = subprocess.run(
        [*command, json.dumps(PROMPTS)],
        env=environment,
        check=True,
        cwd=exported,
        capture_output=True,
        text=True,
    )
    drawn = generator(PROMPTS, seed=5, temperature=2.0)
    assert json.loads(process.stdout) == {
        "serving_default": generator(PROMPTS),
        "greedy": generator.greedy(PROMPTS),
        "sample": drawn,
        "server": drawn,
    }


def test_the_export_scores_and_takes_no_text_at_all(generator, exported):
    signatures = tf.saved_model.load(exported).signatures
    found = signatures["score"](text=tf.constant(PROMPTS))
    expected = generator.score(PROMPTS)
    np.testing.assert_allclose(found["log_probs"], expected.log_probs, rtol=1e-5)
    np.testing.assert_allclose(found["scores"], expected.scores, rtol=1e-5)
    for name in ("serving_default", "greedy"):
        assert signatures[name](text=tf.constant([], tf.string))["text"].shape == (0,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="max_length=9"):
        signatures["greedy"](text=tf.constant(["a" * 9]))


def test_the_export_scores_no_texts(exported):
    score = tf.saved_model.load(exported).signatures["score"]
    assert score(text=tf.constant([], tf.string))["scores"].shape == (0,)


def test_half_the_bits_are_enough(tokenizer):
    texts = make(tokenizer, dtype="mixed_bfloat16")(PROMPTS)
    assert [text[: len(p)] for text, p in zip(texts, PROMPTS)] == PROMPTS


@pytest.mark.parametrize("max_length", [1, 10])
def test_a_length_out_of_range_is_refused(tokenizer, max_length):
    with pytest.raises(ValueError, match=rf"max_length={max_length}, but .* 2 to 9"):
        make(tokenizer, max_length=max_length)


def test_a_tokenizer_that_does_not_fit_is_refused(generator):
    other = ka.SubwordTokenizer.train(["abcd"], model_type="char")
    message = "TextGenerator: got a tokenizer of 8 pieces and .* vocab_size=7"
    with pytest.raises(ValueError, match=message):
        TextGenerator(generator.model, other)


def test_settings_out_of_their_range_are_refused(generator, tokenizer):
    with pytest.raises(ValueError, match="temperature=0"):
        make(tokenizer, temperature=0)
    with pytest.raises(ValueError, match="top_k=8.*only 7"):
        make(tokenizer, top_k=8)
    with pytest.raises(ValueError, match="temperature=-1"):
        generator(["a"], temperature=-1)
    with pytest.raises(ValueError, match="TextGenerator: got batch_size=0"):
        generator(["a"], batch_size=0)
    with pytest.raises(ValueError, match=rf"TextGenerator: got seed={2**31}, but"):
        generator(["a"], seed=2**31)


def test_a_prompt_without_room_for_an_end_is_refused(generator):
    assert generator(["a" * 8]) == ["a" * 8]
    message = "TextGenerator: got a text of 9 tokens at index 1, but .*max_length=9"
    with pytest.raises(ValueError, match=message):
        generator(["a", "a" * 9])
    with pytest.raises(TypeError, match="TextGenerator: got one str"):
        generator("a b")
