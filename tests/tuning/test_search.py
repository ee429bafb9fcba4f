"""One call searches; it can be killed, and be shared by several processes."""

import json
import math
import os
import pathlib
import signal
import socket
import subprocess
import sys

import keras
import keras_tuner
import pytest
from tuning_script import pairs, small_hyper_model

from keras_attention.tuning.search import tune

# KerasTuner's own, on the Python of today.
pytestmark = pytest.mark.filterwarnings(
    "ignore:currentThread:DeprecationWarning",
    "ignore:getName:DeprecationWarning",
    "ignore:The optimal value found for dimension",
)

SCRIPT = pathlib.Path(__file__).with_name("tuning_script.py")
TRAIN, VALID = pairs(60, seed=0), pairs(20, seed=1)


def search(folder, hyper_model=None, **kwargs):
    arguments = {"max_trials": 2, "epochs": 1, "verbose": 0, **kwargs}
    hyper_model = hyper_model or small_hyper_model()
    return tune(hyper_model, TRAIN, VALID, folder, **arguments)


@pytest.mark.tensorflow  # the same code on each backend, and JAX compiles for long
def test_a_search_gives_a_table_settings_and_a_model_and_goes_on(tmp_path):
    folder = tmp_path / "runs" / "search"
    keras.config.set_dtype_policy("mixed_bfloat16")
    hyper_model = small_hyper_model(max_parameters=3000)
    first = search(folder, hyper_model)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert [row.status for row in first.rows] == ["COMPLETED"] * 2
    assert first.rows[0].score <= first.rows[1].score

    same = search(folder, hyper_model)  # All is done.
    assert same.rows == first.rows
    more = search(folder, hyper_model, max_trials=3)
    kept = [row for row in more.rows if row.trial in ("0", "1")]
    assert len(more.rows) == 3 and kept == first.rows
    assert more.best_settings == more.rows[0].settings
    assert all(row.parameters <= 3000 for row in more.rows)

    model = more.best_model()
    assert model.count_params() == more.rows[0].parameters
    batches = hyper_model.batches(more.best_settings, *VALID, shuffle=False)
    figures = model.evaluate(batches, return_dict=True, verbose=0)
    assert math.log(figures["perplexity"]) == pytest.approx(
        more.rows[0].score, rel=1e-2
    )
    assert "val_loss" in str(more)


class Grade(keras.callbacks.Callback):
    """Have some accuracy, and fail where there is none left."""

    grades = []

    def on_epoch_end(self, epoch, logs=None):
        if not self.grades:
            raise MemoryError("no more")
        logs["val_accuracy"] = self.grades.pop(0)


@pytest.mark.tensorflow  # the same code on each backend, and JAX compiles for long
@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(
    ("algorithm", "epochs"), [("bayesian", 1), ("hyperband", 3)], ids=str
)
def test_the_highest_accuracy_is_the_best(algorithm, epochs, tmp_path, monkeypatch):
    monkeypatch.setattr(Grade, "grades", [0.25, 0.5])
    hyper_model = small_hyper_model(callbacks=lambda model: [Grade()])
    result = search(
        tmp_path / "search",
        hyper_model,
        objective="val_accuracy",
        algorithm=algorithm,
        epochs=epochs,
        max_trials=3,
    )
    assert [row.score for row in result.rows] == [0.5, 0.25, None]
    assert [row.trial for row in result.rows] == ["1", "0", "2"]
    assert result.rows[2].reason == "out of memory: MemoryError no more"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objective": "val_bleu"}, "tune: got objective='val_bleu', but a hyper mod"),
        ({"objective": "bleu"}, "tune: got objective='bleu', but there are only 'val_"),
        ({"algorithm": "grid"}, "tune: got algorithm='grid', but there are only 'ran"),
        ({"max_trials": 0}, "tune: got max_trials=0, but there must be at least one"),
        ({"epochs": 0}, "tune: got epochs=0, but there must be at least one"),
    ],
)
def test_a_value_out_of_its_range_is_refused(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        search(tmp_path / "search", **arguments)
    assert not list(tmp_path.iterdir())


def test_data_that_make_no_batches_are_refused_before_the_search(tmp_path):
    with pytest.raises(ValueError, match="TokenBatches: got 1 sources and 0 targets"):
        tune(
            small_hyper_model(),
            ([[5, 6]], []),
            VALID,
            tmp_path / "search",
            max_trials=1,
            epochs=1,
        )
    assert not list(tmp_path.iterdir())


def test_a_folder_of_another_search_is_refused(tmp_path):
    folder = tmp_path / "search"
    folder.mkdir()
    facts = {"objective": "val_bleu"}
    (folder / "search.json").write_text(json.dumps(facts))
    with pytest.raises(
        ValueError,
        match=f"tune: got objective=val_loss, but the search in {folder} has val_bleu",
    ):
        search(folder)


def test_other_data_are_another_search(tmp_path):
    search(tmp_path / "search", small_hyper_model(callbacks=no_memory), max_trials=1)
    with pytest.raises(ValueError, match=r"tune: got valid=\[\[60, .* has \[\[20, "):
        tune(
            small_hyper_model(),
            TRAIN,
            TRAIN,
            tmp_path / "search",
            max_trials=1,
            epochs=1,
        )


def no_memory(model):
    raise MemoryError("no more")


def start(folder, trials, pause=0, **environment):
    """Start the script; its standard output is to be read."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(trials), str(pause)],
        env={
            **os.environ,
            "KERAS_BACKEND": keras.backend.backend(),
            "TMPDIR": str(folder.parent),  # Of a killed process, it goes with the test.
            **environment,
        },
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(process, begin):
    """The rest of the next line that begins so."""
    for line in process.stdout:
        if line.startswith(begin):
            return line.removeprefix(begin)
    pytest.fail(f"the process ended without a line {begin!r}")


@pytest.mark.tensorflow  # on one backend, as processes take their time
def test_a_search_killed_in_a_trial_goes_on_with_it(tmp_path):
    folder = tmp_path / "search"
    with start(folder, trials=2, pause=1) as process:
        wait_for(process, "training")
        wait_for(process, "training")
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    before = (folder / "trial_0" / "trial.json").read_text()
    assert (
        keras_tuner.engine.trial.Trial.load(
            str(folder / "trial_1" / "trial.json")
        ).score
        is None
    )

    with start(folder, trials=2) as process:
        rows = json.loads(wait_for(process, "rows "))
    assert process.returncode == 0
    assert sorted(row[:2] for row in rows) == [["0", "COMPLETED"], ["1", "COMPLETED"]]
    assert (folder / "trial_0" / "trial.json").read_text() == before


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.mark.tensorflow  # on one backend, as processes take their time
def test_workers_share_a_search_and_one_that_is_killed_is_not_missed(tmp_path):
    folder = tmp_path / "search"
    address = {
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": free_port(),
    }

    def process(tuner_id, pause=0):
        return start(folder, 3, pause, KERASTUNER_TUNER_ID=tuner_id, **address)

    with (
        process("chief") as chief,
        process("worker0", pause=1) as worker,
        process("worker1", pause=3600) as victim,
    ):
        wait_for(victim, "training")
        victim.send_signal(signal.SIGKILL)
        out, _ = chief.communicate(timeout=300)
        said, _ = worker.communicate(timeout=60)
    assert (chief.returncode, worker.returncode) == (0, 0)
    assert "worker1 was silent for 8 s: worker0 takes over trial" in out
    [rows] = [line for line in out.splitlines() if line.startswith("rows ")]
    rows = json.loads(rows.removeprefix("rows "))
    assert sorted(row[:2] for row in rows) == [
        [trial, "COMPLETED"] for trial in ("0", "1", "2")
    ]
    assert said.count("training") == 3  # Two of its own, and the one taken over.
