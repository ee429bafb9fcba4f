"""What a translator does with one model, it does with several that vote."""

import numpy as np
import pytest
import tensorflow as tf

import keras_attention as ka
from keras_attention.special_tokens import UNKNOWN
from tests.export.conftest import random_translator, random_words, transformer
from tests.export.test_recurrent_translator import recurrent
from tests.export.test_translator import STRANGE, serve

pytestmark = pytest.mark.tensorflow

WORDS = random_words(12)


# Of several in a row one would be made when a translation is cut into tokens again.
SUPPRESSED = {"suppressed_tokens": (UNKNOWN,)}


def three(vocab_size, dtype):
    makers = transformer, transformer, recurrent
    return ka.Ensemble([make(vocab_size, dtype) for make in makers])


@pytest.fixture(scope="module")
def translator():
    return random_translator(make=three, **SUPPRESSED)


@pytest.fixture(scope="module")
def exported(translator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "words" / "1"
    translator.export(folder)
    return folder


def test_a_fresh_process_without_the_package_gives_the_same_answers(
    translator, exported
):
    texts = [*WORDS, *STRANGE]
    answers = translator(texts)
    assert len(set(answers[: len(WORDS)])) > 6
    assert serve(exported, texts) == {"client": answers, "server": answers}


def test_it_is_none_of_its_members(translator):
    tokenizer, answers = translator.source_tokenizer, translator(WORDS)
    for member in translator.model.members:
        alone = ka.Translator(member, tokenizer, tokenizer, **translator.get_config())
        assert alone(WORDS) != answers


def test_what_the_signatures_return_is_what_the_translator_returns(
    translator, exported
):
    served, text = tf.saved_model.load(str(exported)).signatures, tf.constant(WORDS)
    several, found = served["n_best"](text=text), translator.n_best(WORDS)
    for row, candidates in enumerate(found):
        expected = several["text"].numpy()[row].tolist()
        assert [one.text.encode() for one in candidates] == expected
    targets = [candidates[1].text for candidates in found]
    scored = served["score"](text=text, target=tf.constant(targets))
    expected = translator.score(WORDS, targets)
    np.testing.assert_allclose(scored["log_probs"], expected.log_probs, rtol=1e-4)
    looked = served["attention"](text=text)
    for row, alignment in enumerate(translator.align(WORDS)):
        size = alignment.weights.shape
        np.testing.assert_allclose(
            looked["attention"][row, : size[0], : size[1]], alignment.weights, atol=1e-5
        )


def test_what_was_found_is_scored_as_it_was_found(translator):
    found = [best for best, *_ in translator.n_best(WORDS)]
    again = translator.score(WORDS, [one.text for one in found])
    np.testing.assert_allclose(again.scores, [one.score for one in found], rtol=1e-4)


def test_an_alignment_has_the_layers_of_all_members(translator):
    layers = [translator.align(["keras"], layer=layer)[0].weights for layer in range(5)]
    [mean] = translator.align(["keras"])
    np.testing.assert_allclose(np.mean(layers, axis=0), mean.weights, atol=1e-6)
    with pytest.raises(ValueError, match="got layer=5, but the model has 5"):
        translator.align(["keras"], layer=5)


def test_coverage_is_that_of_all_members(translator):
    covering = random_translator(make=three, coverage_penalty=2.0, **SUPPRESSED)
    assert covering(WORDS) != translator(WORDS)


def test_saved_and_loaded_it_answers_the_same(translator, tmp_path):
    translator.save(tmp_path / "words")
    loaded = ka.Translator.load(tmp_path / "words")
    assert len(loaded.model.members) == 3
    assert loaded(WORDS) == translator(WORDS)
