"""A folder of ours and one of Marian's are loaded alike."""

import pathlib

import numpy as np
import pytest

from keras_attention.interop.marian import load_marian
from keras_attention.runs.model_folder import load_translator
from keras_attention.runs.run_folder import claim

pytestmark = pytest.mark.tensorflow

MARIAN = pathlib.Path(__file__).parents[1] / "interop" / "marian_fixture"


def same_weights(one, other):
    return all(map(np.array_equal, one.model.get_weights(), other.model.get_weights()))


def test_a_folder_of_a_training_is_loaded(trained):
    _, folder, translator = trained
    loaded = load_translator(folder, beam_size=2)
    assert same_weights(loaded, translator)
    assert loaded.settings.beam_size == 2


def test_a_folder_in_marians_format_is_loaded():
    loaded = load_translator(MARIAN, "mixed_bfloat16", beam_size=2)
    expected = load_marian(MARIAN, beam_size=2)
    assert same_weights(loaded, expected)
    assert loaded.get_config() == expected.get_config()
    assert loaded.model.dtype_policy.name == "mixed_bfloat16"


def test_a_model_of_ours_comes_in_the_dtype_that_is_asked_for(trained):
    _, folder, translator = trained
    assert load_translator(folder, "float32").model.dtype_policy.name == "float32"
    loaded = load_translator(folder, "mixed_bfloat16", length_penalty=1.0)
    assert loaded.model.dtype_policy.name == "mixed_bfloat16"
    assert same_weights(loaded, translator)
    assert loaded.get_config() == {**translator.get_config(), "length_penalty": 1.0}


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="got .*nowhere, but there is no such"):
        load_translator(tmp_path / "nowhere")


def test_a_folder_of_other_things_is_refused_by_what_it_lacks(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no translator.json"):
        load_translator(tmp_path)


def test_a_training_that_has_not_ended_has_no_model_yet(settings, tmp_path):
    claim(tmp_path, settings)
    (tmp_path / "translator.json").touch()  # killed in the moment it wrote its model
    message = f"no model yet.*keras-attention train --out {tmp_path}.*average"
    with pytest.raises(FileNotFoundError, match=message):
        load_translator(tmp_path)
