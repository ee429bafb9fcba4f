"""A training is one folder, and goes on from it whatever happened."""

import csv
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import types

import numpy as np
import pytest

import keras_attention as ka
from keras_attention.interop.marian import load_marian
from keras_attention.runs.average import average_run
from keras_attention.runs.run_folder import claim, saved_settings
from keras_attention.runs.settings import TrainingSettings
from keras_attention.runs.train import (
    announce,
    complete,
    read_pairs,
    train_translator,
)

pytestmark = pytest.mark.tensorflow

MARIAN = pathlib.Path(__file__).parents[1] / "interop" / "marian_fixture"

PROGRAM = """
import sys
from keras_attention.runs.run_folder import saved_settings
from keras_attention.runs.train import train_translator
train_translator(saved_settings(sys.argv[1]), sys.argv[1], verbose=2)
"""


def rows(folder):
    with open(folder / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_is_what_the_translator_reads(trained):
    _, folder, translator = trained
    texts = ["abc", "fed", ""]
    assert ka.Translator.load(folder)(texts) == translator(texts)


def test_the_folder_holds_all_that_the_training_came_from(trained):
    settings, folder, _ = trained
    assert saved_settings(folder).epochs == settings.epochs
    assert [row["epoch"] for row in rows(folder)] == ["1", "2"]
    assert {"loss", "val_loss", "val_bleu"} <= set(rows(folder)[0])
    assert len(list((folder / "checkpoints").iterdir())) == 2
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert "version:" in evaluation["signatures"]["bleu"]


def test_the_settings_written_leave_nothing_open_that_was_chosen(trained):
    saved = saved_settings(trained[1])
    assert saved.num_decoder_layers == 1
    assert saved.update_tokens == 160
    assert saved.peak_rate == pytest.approx((8 * 3) ** -0.5)


def assert_equal_weights(one, other):
    for mine, theirs in zip(one.model.weights, other.model.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.fixture(scope="module")
def whole(settings, tmp_path_factory):
    """(settings, folder, translator) of three epochs without a break."""
    longer = dataclasses.replace(settings, epochs=3)
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return longer, folder, train_translator(longer, folder, verbose=0)


def test_the_same_call_does_nothing_twice(trained):
    settings, folder, translator = trained
    state = (folder / "state").read_bytes()
    again = train_translator(settings, folder, verbose=0)
    assert (folder / "state").read_bytes() == state
    assert_equal_weights(again, translator)


def test_more_epochs_go_on_as_if_they_had_been_wanted_at_once(trained, whole, tmp_path):
    longer, unbroken, translator = whole
    shutil.copytree(trained[1], tmp_path / "parts")
    assert_equal_weights(
        train_translator(longer, tmp_path / "parts", verbose=0), translator
    )
    assert rows(tmp_path / "parts") == rows(unbroken)


def test_a_killed_training_goes_on_from_its_folder(whole, tmp_path):
    longer, _, translator = whole
    longer = complete(dataclasses.replace(longer, save_every=1))
    claim(tmp_path / "killed", longer)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "killed")]
    process = subprocess.Popen(command, env=os.environ)
    try:
        wait_for(tmp_path / "killed" / "checkpoints", process)
    finally:
        process.kill()  # by SIGKILL
        process.wait()
    assert not (tmp_path / "killed" / "model.keras").exists()
    again = train_translator(longer, tmp_path / "killed", verbose=0)
    assert_equal_weights(again, translator)


def wait_for(path, process, seconds=300):
    """Until something is there, or the process has ended."""
    for _ in range(seconds * 20):
        if path.exists() or process.poll() is not None:
            return
        time.sleep(0.05)
    raise TimeoutError(f"{path} did not appear")


def test_without_sentences_to_test_on_some_are_held_out(corpus):
    train, valid = read_pairs(TrainingSettings(*corpus))
    assert valid[0]
    assert not set(train[0]) & set(valid[0])
    assert all(source == target[::-1] for source, target in zip(*train))


def test_the_other_direction_swaps_both(corpus):
    settings = TrainingSettings(*corpus, swap=True, valid_source=corpus[0])
    settings = dataclasses.replace(settings, valid_target=corpus[1])
    _, valid = read_pairs(settings)
    assert valid[1] == pathlib.Path(corpus[0]).read_text().split()


def test_what_was_saved_is_chosen_again_before_what_fits_this_machine():
    open_settings = TrainingSettings("a")
    saved = TrainingSettings("a", dtype="mixed_float16", d_ff=99)
    chosen = complete(open_settings, saved)
    assert (chosen.dtype, chosen.d_ff, chosen.d_model) == ("mixed_float16", 99, 128)


@pytest.mark.parametrize(
    "other, message",
    [
        ({"source": "nowhere"}, "nowhere"),
        ({"num_heads": 3}, "num_heads=3"),
        ({"keep": "best", "bleu_every": 3}, "epochs=2, before any BLEU is measured"),
        ({"valid_source": "{source}", "valid_target": "nowhere"}, "nowhere"),
    ],
    ids=str,
)
def test_what_can_not_be_used_leaves_no_folder(other, message, settings, tmp_path):
    other = {
        name: value.format(source=settings.source) if isinstance(value, str) else value
        for name, value in other.items()
    }
    wrong = dataclasses.replace(settings, **other)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        train_translator(wrong, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_a_rate_that_never_comes_to_its_peak_is_warned_of(settings):
    slow = complete(dataclasses.replace(settings, warmup_steps=50))
    model = types.SimpleNamespace(count_params=lambda: 1000)
    pairs = ["a"] * 3, ["b"] * 3
    message = "warmup_steps=50, but the whole training has 16 updates.*such as 2,"
    with pytest.warns(UserWarning, match=message):
        announce(slow, model, pairs, pairs, batches=range(8), verbose=0)


def test_what_is_trained_is_said(settings, capsys):
    pairs = ["a"] * 3000, ["b"] * 3000
    model = types.SimpleNamespace(count_params=lambda: 1000)
    announce(complete(settings), model, pairs, pairs, batches=range(8), verbose=2)
    expected = "3,000 pairs to learn from, 3,000 to test on; 1,000 parameters; "
    assert capsys.readouterr().out == f"{expected}16 updates in 2 epochs\n"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """(settings, folder, translator) of a Marian model that was trained on."""
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "ko").write_text(
        "개가 달린다.\n고양이가 잔다.\n남자가 기타를 친다.\n" * 9
    )
    (folder / "en").write_text("A dog runs.\nA cat sleeps.\nHe plays guitar.\n" * 9)
    paths = str(folder / "ko"), str(folder / "en")
    settings = TrainingSettings(
        *paths,
        *paths,
        pretrained=str(MARIAN),
        epochs=2,
        peak_rate=0.01,
        warmup_steps=2,
        batch_tokens=60,
        dtype="float32",
    )
    translator = train_translator(settings, folder / "run", verbose=0)
    return settings, folder / "run", translator


def test_a_pretrained_model_is_trained_on(tuned):
    settings, folder, translator = tuned
    before = load_marian(MARIAN)
    assert float(rows(folder)[-1]["val_loss"]) < float(rows(folder)[0]["val_loss"])
    assert not np.array_equal(before.model.weights[0], translator.model.weights[0])
    # Its way to search and to cut sentences stays.
    assert translator.get_config() == before.get_config()
    loaded = ka.Translator.load(folder)
    texts = ["개가 잔다.", "He plays."]
    assert loaded(texts) == translator(texts)
    assert loaded.source_tokenizer.vocabulary == before.source_tokenizer.vocabulary


def test_its_settings_repeat_it_and_its_epochs_go_on(tuned, tmp_path):
    settings, folder, translator = tuned
    saved = saved_settings(folder)
    assert (saved.pretrained, saved.d_model) == (str(MARIAN), None)
    shorter = dataclasses.replace(saved, epochs=1)
    train_translator(shorter, tmp_path / "run", verbose=0)
    again = train_translator(saved, tmp_path / "run", verbose=0)
    assert_equal_weights(again, translator)
    assert_equal_weights(average_run(tmp_path / "run"), translator)


def test_another_pretrained_model_is_another_training(tuned, trained, tmp_path):
    settings, folder, _ = tuned
    other = dataclasses.replace(settings, pretrained=str(trained[1]))
    with pytest.raises(FileExistsError, match="got pretrained=.* but the training in"):
        train_translator(other, folder, verbose=0)
