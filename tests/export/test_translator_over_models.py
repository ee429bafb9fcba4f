"""What a translator does with one Transformer, it does with other models, too."""

import numpy as np
import pytest
import tensorflow as tf

import keras_attention as ka
from keras_attention.special_tokens import UNKNOWN
from tests.export.conftest import random_translator, random_words, transformer
from tests.export.test_translator import STRANGE, serve

pytestmark = pytest.mark.tensorflow

WORDS = random_words(12)
# Of several unknown ones in a row one would be made when an answer is cut again.
SUPPRESSED = {"suppressed_tokens": (UNKNOWN,)}


def recurrent(vocab_size, dtype):
    return ka.RecurrentSeq2Seq(
        vocab_size,
        vocab_size,
        d_model=12,
        cell="gru",
        attention="additive",
        bidirectional=True,
        share_embeddings=True,
        dtype=dtype,
    )


def without_attention(vocab_size, dtype):
    return ka.RecurrentSeq2Seq(
        vocab_size, vocab_size, num_layers=2, d_model=12, dtype=dtype
    )


def ensemble(vocab_size, dtype):
    makers = transformer, transformer, recurrent
    return ka.Ensemble([make(vocab_size, dtype) for make in makers])


@pytest.fixture(scope="module", params=[recurrent, ensemble])
def make(request):
    return request.param


@pytest.fixture(scope="module")
def translator(make):
    return random_translator(make=make, **SUPPRESSED)


@pytest.fixture(scope="module")
def reading():
    return random_translator(make=recurrent)


@pytest.fixture(scope="module")
def voting():
    return random_translator(make=ensemble, **SUPPRESSED)


@pytest.fixture(scope="module")
def exported(translator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "words" / "1"
    translator.export(folder)
    return folder


@pytest.fixture(scope="module")
def blind():
    return random_translator(make=without_attention)


def test_a_fresh_process_without_the_package_gives_the_same_answers(
    translator, exported
):
    texts = [*WORDS, *STRANGE]
    answers = translator(texts)
    assert len(set(answers[: len(WORDS)])) > 6
    assert serve(exported, texts) == {"client": answers, "server": answers}


def test_what_the_signatures_return_is_what_the_translator_returns(
    translator, exported
):
    served, text = tf.saved_model.load(str(exported)).signatures, tf.constant(WORDS)
    several, scores = served["n_best"](text=text), translator.n_best(WORDS)
    for row, found in enumerate(scores):
        expected = several["text"].numpy()[row].tolist()
        assert [one.text.encode() for one in found] == expected
        np.testing.assert_allclose(
            [one.score for one in found], several["scores"][row], rtol=1e-4
        )
    targets = [found[1].text for found in scores]
    found = served["score"](text=text, target=tf.constant(targets))
    expected = translator.score(WORDS, targets)
    np.testing.assert_allclose(found["log_probs"], expected.log_probs, rtol=1e-4)
    looked = served["attention"](text=text)
    for row, alignment in enumerate(translator.align(WORDS)):
        size = alignment.weights.shape
        np.testing.assert_allclose(
            looked["attention"][row, : size[0], : size[1]], alignment.weights, atol=1e-5
        )


def test_a_likely_answer_is_scored_as_it_was_found(translator):
    found = [best for best, *_ in translator.n_best(WORDS)]
    again = translator.score(WORDS, [one.text for one in found])
    np.testing.assert_allclose(again.scores, [one.score for one in found], rtol=1e-4)


def test_padding_of_longer_neighbours_changes_no_answer(translator):
    together = translator([*WORDS, "z" * 39])
    assert together[:-1] == translator(WORDS, batch_size=1)


def test_coverage_is_that_of_the_attention(translator, make):
    covering = random_translator(make=make, coverage_penalty=2.0, **SUPPRESSED)
    assert covering(WORDS) != translator(WORDS)


def test_of_a_recurrence_an_alignment_has_one_layer_and_one_head(reading):
    [only] = reading.align(["keras"], layer=0, head=0)
    [mean] = reading.align(["keras"])
    np.testing.assert_array_equal(only.weights, mean.weights)
    with pytest.raises(ValueError, match="got head=1, but the model has 1"):
        reading.align(["keras"], head=1)


def test_of_a_recurrence_there_are_maps_of_the_source_alone(reading):
    [maps] = reading.attention_maps(["keras"])
    [aligned] = reading.align(["keras"])
    assert maps.kinds == ("cross",)
    np.testing.assert_allclose(maps.matrix("cross"), aligned.weights, atol=1e-6)


def test_an_ensemble_answers_as_none_of_its_members(voting):
    tokenizer, answers = voting.source_tokenizer, voting(WORDS)
    for member in voting.model.members:
        alone = ka.Translator(member, tokenizer, tokenizer, **voting.get_config())
        assert alone(WORDS) != answers


def test_of_an_ensemble_an_alignment_has_the_layers_of_all_members(voting):
    layers = [voting.align(["keras"], layer=layer)[0].weights for layer in range(5)]
    [mean] = voting.align(["keras"])
    np.testing.assert_allclose(np.mean(layers, axis=0), mean.weights, atol=1e-6)
    with pytest.raises(ValueError, match="got layer=5, but the model has 5"):
        voting.align(["keras"], layer=5)


def test_saved_and_loaded_it_answers_the_same(translator, tmp_path):
    translator.save(tmp_path / "words")
    assert ka.Translator.load(tmp_path / "words")(WORDS) == translator(WORDS)


def test_without_attention_it_is_exported_without_that_signature(blind, tmp_path):
    blind.export(tmp_path / "1")
    served = tf.saved_model.load(str(tmp_path / "1")).signatures
    assert set(served) == {"serving_default", "greedy", "n_best", "score"}
    answers = served["serving_default"](text=tf.constant(WORDS))["text"].numpy()
    assert [answer.decode() for answer in answers] == blind(WORDS)


def test_without_attention_there_is_no_alignment(blind):
    message = "Translator: got a question for an alignment and a model with attention="
    with pytest.raises(ValueError, match=message):
        blind.align(WORDS)
    message = "Translator: got a question for attention maps and a model with attention"
    with pytest.raises(ValueError, match=message):
        blind.attention_maps(WORDS)


def test_without_attention_nothing_can_be_covered():
    message = "Translator: got coverage_penalty=0.5 and a model with attention=None"
    with pytest.raises(ValueError, match=message):
        random_translator(make=without_attention, coverage_penalty=0.5)
