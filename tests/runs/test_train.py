"""A training is one folder, and goes on from it whatever happened."""

import csv
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import keras_attention as ka
from keras_attention.runs.run_folder import saved_settings
from keras_attention.runs.settings import TrainingSettings
from keras_attention.runs.train import complete, read_pairs, train_translator

pytestmark = pytest.mark.tensorflow

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
    assert saved.peak_rate == pytest.approx((8 * 10) ** -0.5)


def test_the_same_call_does_nothing_twice_and_more_epochs_go_on(trained, tmp_path):
    settings, folder, translator = trained
    states = (folder / "state").read_bytes()
    again = train_translator(settings, folder, verbose=0)
    assert (folder / "state").read_bytes() == states
    for old, new in zip(translator.model.weights, again.model.weights):
        np.testing.assert_array_equal(old, new)

    longer = dataclasses.replace(settings, epochs=3)
    train_translator(longer, tmp_path / "whole", verbose=0)
    train_translator(settings, tmp_path / "parts", verbose=0)
    train_translator(longer, tmp_path / "parts", verbose=0)
    whole, parts = (ka.Translator.load(tmp_path / name) for name in ("whole", "parts"))
    for one, other in zip(whole.model.weights, parts.model.weights):
        np.testing.assert_array_equal(one, other)
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")


def test_a_killed_training_goes_on_from_its_folder(settings, tmp_path):
    from keras_attention.runs.run_folder import claim

    longer = complete(dataclasses.replace(settings, epochs=3, save_every=1))
    claim(tmp_path / "killed", longer)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "killed")]
    process = subprocess.Popen(command, env=os.environ)
    wait_for(tmp_path / "killed" / "checkpoints", process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "model.keras").exists()

    translator = train_translator(longer, tmp_path / "killed", verbose=0)
    whole = train_translator(longer, tmp_path / "whole", verbose=0)
    for one, other in zip(translator.model.weights, whole.model.weights):
        np.testing.assert_array_equal(one, other)


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


def test_a_run_of_its_own_settings_file_gives_the_same_weights(trained, tmp_path):
    _, folder, translator = trained
    again = train_translator(saved_settings(folder), tmp_path / "again", verbose=0)
    for one, other in zip(translator.model.weights, again.model.weights):
        np.testing.assert_array_equal(one, other)


def test_nothing_is_written_where_the_sentences_are_missing(settings, tmp_path):
    missing = dataclasses.replace(settings, source=str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        train_translator(missing, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_two_vocabularies_have_their_own_tokenizers(settings, tmp_path):
    (tmp_path / "source").write_text("가나\n나다\n다가\n" * 20)
    (tmp_path / "target").write_text("ab\nbc\nca\n" * 20)
    two = dataclasses.replace(
        settings,
        source=str(tmp_path / "source"),
        target=str(tmp_path / "target"),
        share_vocabulary=False,
        epochs=1,
    )
    translator = train_translator(two, tmp_path / "run", verbose=0)
    assert translator.source_tokenizer.pieces("가") != ["<unk>"]
    assert "가" not in translator.target_tokenizer.pieces("가")
