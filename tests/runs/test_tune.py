"""A search leaves the best settings, a table and a plot, and goes on."""

import dataclasses

import pytest

from keras_attention.runs.run_folder import FIELDS
from keras_attention.runs.settings import TrainingSettings
from keras_attention.runs.settings_file import read_settings
from keras_attention.runs.tune import tune_translator

pytestmark = pytest.mark.tensorflow

pytest.importorskip("keras_tuner", reason="KerasTuner is not installed")

# One of each, but for what the trials are to find.
RANGES = {
    "num_layers": 1,
    "num_decoder_layers": 1,
    "d_model": 8,
    "num_heads": [1, 2],
    "d_ff": [8, 16],
    "norm_first": False,
    "warmup_steps": 10,
    "batch_tokens": 300,
}


def test_a_search_leaves_what_train_takes(settings, tmp_path, monkeypatch):
    options = {"epochs": 1, "objective": "val_bleu", "verbose": 0, **RANGES}
    settings = dataclasses.replace(settings, use_bias=True)
    result = tune_translator(settings, tmp_path / "a", max_trials=2, **options)
    assert len(result.rows) == 2
    best = TrainingSettings(**read_settings(tmp_path / "a" / "best.toml", FIELDS))
    for name, value in result.best_settings.items():
        assert getattr(best, name) == value
    assert best.source == settings.source
    assert best.use_bias is False  # whatever was asked for, as in the trials
    assert best.epochs == 2  # of the settings, and not of a trial
    assert result.rows[0].trial in (tmp_path / "a" / "trials.txt").read_text()
    assert (tmp_path / "a" / "trials.png").exists()

    again = tune_translator(settings, tmp_path / "a", max_trials=2, **options)
    assert again.rows == result.rows


def test_other_things_are_left_alone(settings, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="holds other things"):
        tune_translator(settings, tmp_path, max_trials=1, epochs=1)
    with pytest.raises(FileExistsError, match="that is a file"):
        tune_translator(settings, tmp_path / "thesis.tex", max_trials=1, epochs=1)


def test_a_pretrained_model_is_not_searched_for(settings, tmp_path):
    other = TrainingSettings(settings.source, settings.target, pretrained="opus")
    with pytest.raises(ValueError, match="got pretrained='opus', but a search makes"):
        tune_translator(other, tmp_path / "a", max_trials=1, epochs=1)


def test_a_range_that_there_is_not_leaves_no_folder(settings, tmp_path):
    with pytest.raises(TypeError, match="d_modle"):
        tune_translator(
            settings, tmp_path / "a", max_trials=1, epochs=1, d_modle=[8, 16]
        )
    assert not (tmp_path / "a").exists()
