"""Settings are refused when they are given, and each says what it is."""

import dataclasses

import pytest

from keras_attention.runs.settings import SECTIONS, TrainingSettings, kinds


def test_every_setting_has_a_section_and_says_what_it_is():
    for field in dataclasses.fields(TrainingSettings):
        assert field.metadata["section"] in SECTIONS
        assert field.metadata["help"]


def test_every_default_but_the_source_is_valid():
    assert TrainingSettings("train.en").valid_source is None


def test_every_kind_can_be_an_option():
    for field in dataclasses.fields(TrainingSettings):
        assert kinds(field)[0] in (bool, int, float, str)
        assert kinds(field)[1:] in ((), (type(None),))


def test_there_must_be_sentences():
    with pytest.raises(ValueError, match="got no source.*as source"):
        TrainingSettings()


@pytest.mark.parametrize(
    "name, value",
    [
        ("epochs", "30"),
        ("epochs", 2.0),
        ("epochs", True),
        ("seed", None),
        ("swap", 1),
        ("dropout_rate", "0.1"),
        ("target", 3),
    ],
)
def test_another_kind_of_value_is_refused(name, value):
    with pytest.raises(
        TypeError, match=rf"got {name}={value!r}, but it is (int|bool|float|str):"
    ):
        TrainingSettings("train.en", **{name: value})


@pytest.mark.parametrize(
    "name, value, needed",
    [
        ("epochs", 0, "at least 1"),
        ("dropout_rate", 1.0, "at least 0 and below 1"),
        ("label_smoothing", -0.1, "at least 0 and below 1"),
        ("length_penalty", float("nan"), "at least 0"),
        ("preset", "huge", "only 'tiny', 'base', 'big'"),
        ("keep", "all", "only 'last', 'best'"),
    ],
)
def test_a_value_out_of_its_range_is_refused(name, value, needed):
    with pytest.raises(ValueError, match=rf"got {name}={value!r}, but .*{needed}"):
        TrainingSettings("train.en", **{name: value})


def test_a_whole_number_does_where_any_number_does():
    assert TrainingSettings("train.en", dropout_rate=0).dropout_rate == 0


@pytest.mark.parametrize("name, value", [("d_model", 64), ("share_vocabulary", False)])
def test_what_a_pretrained_model_has_can_not_be_said_otherwise(name, value):
    message = (
        rf"got pretrained='opus' and {name}={value!r}, but .* keeps its own {name}"
    )
    with pytest.raises(ValueError, match=message):
        TrainingSettings("train.en", pretrained="opus", **{name: value})


def test_a_pretrained_model_can_be_trained_in_any_way():
    free = {"max_length": 99, "epochs": 2, "peak_rate": 1e-4, "beam_size": 2}
    settings = TrainingSettings("train.en", pretrained="opus", **free)
    assert settings.vocab_size is None
