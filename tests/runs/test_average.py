"""A translator of the mean of what a training has kept."""

import shutil

import numpy as np
import pytest

from keras_attention.runs.average import average_run

pytestmark = pytest.mark.tensorflow


def test_the_mean_of_all_that_is_kept_is_what_the_training_ended_with(trained):
    _, folder, translator = trained
    for one, other in zip(average_run(folder).model.weights, translator.model.weights):
        np.testing.assert_array_equal(one, other)


def test_a_mean_of_fewer_is_another(trained, tmp_path):
    _, folder, translator = trained
    shutil.copytree(folder, tmp_path / "run")
    (tmp_path / "run" / "model.keras").unlink()  # as if the training still went on
    last = average_run(tmp_path / "run", number=1)
    assert not np.array_equal(last.model.weights[0], translator.model.weights[0])
    assert last.settings == translator.settings


def test_a_folder_that_is_not_of_a_training_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no settings.toml"):
        average_run(tmp_path)


def test_a_mean_of_no_epoch_is_refused(trained):
    with pytest.raises(ValueError, match="average_run.*number=0"):
        average_run(trained[1], number=0)
