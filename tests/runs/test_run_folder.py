"""A folder belongs to one training, or to none."""

import dataclasses
import pathlib

import keras
import pytest

from keras_attention.runs.run_folder import (
    CHECKPOINTS,
    SETTINGS,
    claim,
    mean_of,
    saved_settings,
)
from keras_attention.runs.settings import TrainingSettings

SETTLED = TrainingSettings("train.en", epochs=3, averaged=4)


def save_epochs(folder, number):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    (folder / CHECKPOINTS).mkdir(parents=True)
    for epoch in range(1, number + 1):
        model.layers[0].kernel.assign([[float(epoch)]])
        name = f"{epoch:04d}-epoch-{epoch}.weights.h5"
        model.save_weights(folder / CHECKPOINTS / name)
    return model


def test_a_new_folder_gets_the_settings(tmp_path):
    folder = claim(tmp_path / "a" / "b", SETTLED)
    assert saved_settings(folder) == SETTLED
    assert saved_settings(tmp_path) is None


def test_the_same_training_goes_on_and_may_be_longer(tmp_path):
    claim(tmp_path, SETTLED)
    longer = dataclasses.replace(SETTLED, epochs=5, beam_size=2)
    claim(tmp_path, longer)
    assert saved_settings(tmp_path) == longer


def test_another_training_is_refused_and_the_first_one_kept(tmp_path):
    claim(tmp_path, SETTLED)
    other = dataclasses.replace(SETTLED, seed=7)
    with pytest.raises(FileExistsError, match="got seed=7, but .* has 0"):
        claim(tmp_path, other)
    assert saved_settings(tmp_path) == SETTLED


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match=r"other things \(thesis.tex\)"):
        claim(tmp_path, SETTLED)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(FileExistsError, match="run, but that is a file"):
        claim(tmp_path / "run", SETTLED)


def test_what_a_kill_left_of_the_first_settings_is_no_other_thing(tmp_path):
    (tmp_path / f".{SETTINGS}.host.1.partial").mkdir()
    assert saved_settings(claim(tmp_path, SETTLED)) == SETTLED


@pytest.mark.parametrize("number, mean", [(None, 3.5), (2, 4.5)])
def test_the_mean_is_of_the_last_epochs(tmp_path, number, mean):
    model = save_epochs(tmp_path, 5)
    model.load_weights(mean_of(tmp_path, SETTLED, number))
    assert float(model.layers[0].kernel[0, 0]) == mean


def test_a_mean_of_more_than_there_are_is_refused(tmp_path):
    save_epochs(tmp_path, 2)
    with pytest.raises(ValueError, match="got number=3, but only 2 epochs"):
        mean_of(tmp_path, SETTLED, 3)


def test_a_mean_of_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no epoch is done"):
        mean_of(pathlib.Path(tmp_path), SETTLED)
