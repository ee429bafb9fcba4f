"""A training begins with new weights, or with those of a pretrained model."""

import dataclasses
import pathlib

import keras
import numpy as np
import pytest

from keras_attention.interop.marian import load_marian
from keras_attention.runs.settings import TrainingSettings
from keras_attention.runs.starting_point import (
    keep_tokenizers,
    make_tokenizers,
    starting_point,
)
from keras_attention.runs.train import complete

pytestmark = pytest.mark.tensorflow

MARIAN = str(pathlib.Path(__file__).parents[1] / "interop" / "marian_fixture")
TWO = ["가나", "나다", "다가"] * 20, ["ab", "bc", "ca"] * 20


def test_a_new_model_is_as_the_settings_say(settings, tmp_path):
    said = dataclasses.replace(settings, beam_size=3, share_vocabulary=True)
    translator = starting_point(complete(said), tmp_path, TWO)
    config = translator.model.config
    assert (config["d_model"], config["num_decoder_layers"]) == (8, 1)
    assert config["share_embeddings"]
    assert translator.model.dtype_policy.name == "float32"
    assert translator.settings.beam_size == 3
    assert translator.settings.length_penalty == 0.6
    assert not list(tmp_path.iterdir())


def test_a_pretrained_model_brings_all_that_is_not_said():
    said = TrainingSettings("a", pretrained=MARIAN, length_penalty=0.5, dtype="float32")
    translator = starting_point(complete(said), folder=None)
    expected = load_marian(MARIAN, length_penalty=0.5)
    assert translator.get_config() == expected.get_config()
    assert (
        translator.source_tokenizer.vocabulary == expected.source_tokenizer.vocabulary
    )
    for mine, theirs in zip(translator.model.weights, expected.model.weights):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("update_tokens, batches", [(None, 1), (160 * 4, 4)])
def test_the_rate_is_at_its_peak_when_the_settings_say(update_tokens, batches):
    said = TrainingSettings(
        "a",
        pretrained=MARIAN,
        peak_rate=0.25,
        warmup_steps=6,
        batch_tokens=160,
        update_tokens=update_tokens,
    )
    optimizer = starting_point(complete(said), folder=None).model.optimizer
    schedule = optimizer.get_config()["learning_rate"]
    schedule = keras.saving.deserialize_keras_object(schedule)
    rates = [float(schedule(step)) for step in range(6 * batches + 2)]
    assert max(rates) == pytest.approx(0.25)
    assert np.argmax(rates) == 6 * batches - 1
    assert optimizer.gradient_accumulation_steps == (None if batches == 1 else batches)


def test_two_vocabularies_have_their_own_tokenizers(settings, tmp_path):
    two = complete(dataclasses.replace(settings, share_vocabulary=False))
    source, target = make_tokenizers(two, tmp_path, TWO)
    assert source.pieces("가") != ["<unk>"]
    assert "가" not in target.pieces("가")


def test_tokenizers_that_are_kept_are_not_made_again(settings, tmp_path):
    tokenizers = make_tokenizers(complete(settings), tmp_path, TWO)
    keep_tokenizers(tokenizers, tmp_path)
    for kept, made in zip(make_tokenizers(complete(settings), tmp_path), tokenizers):
        assert kept.model_proto == made.model_proto
