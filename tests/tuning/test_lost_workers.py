"""The trial of a worker that died is run by another."""

import threading

import keras_tuner
import pytest

from keras_attention.tuning import lost_workers
from keras_attention.tuning.lost_workers import (
    SignsOfLife,
    TakeOver,
    beating,
    is_worker,
)

# KerasTuner's own, on the Python of today.
pytestmark = pytest.mark.filterwarnings(
    "ignore:currentThread:DeprecationWarning",
    "ignore:getName:DeprecationWarning",
)


class Oracle(TakeOver, keras_tuner.oracles.RandomSearchOracle):
    """The simplest one."""


class Clock:
    """A clock that is set by hand, in seconds."""

    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(lost_workers.time, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def oracle(tmp_path):
    space = keras_tuner.HyperParameters()
    space.Float("rate", 0.0, 1.0)
    oracle = Oracle(
        lost_after=10.0,
        objective=keras_tuner.Objective("loss", "min"),
        max_trials=2,
        hyperparameters=space,
        seed=1,
    )
    # What a tuner does when it is made.
    tuner = keras_tuner.Tuner(
        oracle, lambda hp: None, directory=str(tmp_path), project_name="search"
    )
    tuner.oracle.verbose = 0
    return oracle


def finish(oracle, trial):
    oracle.update_trial(trial.trial_id, {"loss": 1.0})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def test_who_asks_after_a_worker_fell_silent_gets_its_trial(oracle, clock, capsys):
    lost = oracle.create_trial("b")
    clock.now = 5
    own = oracle.create_trial("a")
    finish(oracle, own)
    # All are handed out, but one may yet be lost.
    assert oracle.create_trial("a").status == "IDLE"
    clock.now = 10.5
    taken = oracle.create_trial("a")
    assert taken.trial_id == lost.trial_id and taken.status == "RUNNING"
    assert "b was silent for 10 s: a takes over trial" in capsys.readouterr().out
    finish(oracle, taken)
    assert oracle.create_trial("a").status == "STOPPED"
    assert not oracle.ongoing_trials and not oracle.tuner_ids
    assert {trial.status for trial in oracle.trials.values()} == {"COMPLETED"}


def test_a_worker_that_gives_signs_of_life_keeps_its_trial(oracle, clock):
    slow = oracle.create_trial("b")
    finish(oracle, oracle.create_trial("a"))
    for clock.now in range(0, 100, 9):
        oracle.get_trial(slow.trial_id)
        assert oracle.create_trial("a").status == "IDLE"
    finish(oracle, slow)
    assert oracle.create_trial("a").status == "STOPPED"
    assert oracle.create_trial("b").status == "STOPPED"
    assert not oracle.tuner_ids


def test_a_worker_started_again_gets_its_own_trial(oracle, clock):
    lost = oracle.create_trial("b")
    clock.now = 5
    assert oracle.create_trial("b").trial_id == lost.trial_id


def test_a_worker_that_died_between_two_trials_is_not_waited_for(oracle, clock):
    finish(oracle, oracle.create_trial("b"))
    clock.now = 11
    finish(oracle, oracle.create_trial("a"))
    assert oracle.create_trial("a").status == "STOPPED"
    assert not oracle.tuner_ids


def test_one_process_alone_is_no_worker(monkeypatch):
    monkeypatch.delenv("KERASTUNER_ORACLE_IP", raising=False)
    assert not is_worker()
    with beating(lambda: pytest.fail("there is no chief to hear it")):
        pass


@pytest.mark.parametrize(("tuner_id", "worker"), [("chief", False), ("w0", True)])
def test_the_environment_says_what_a_process_is(tuner_id, worker, monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", tuner_id)
    assert is_worker() == worker


def test_a_worker_gives_signs_of_life_while_it_runs_a_trial(monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "w0")
    monkeypatch.setattr(lost_workers, "BEAT", 0.01)
    heard, enough = [], threading.Event()

    class Client:
        def get_trial(self, trial_id):
            heard.append(trial_id)
            if len(heard) == 3:
                enough.set()

    class Base:
        oracle = Client()

        def run_trial(self, trial, epochs):
            assert enough.wait(timeout=60)
            return epochs

    class Worker(SignsOfLife, Base):
        pass

    trial = keras_tuner.engine.trial.Trial(keras_tuner.HyperParameters(), "07")
    assert Worker().run_trial(trial, epochs=5) == 5
    assert set(heard) == {"07"}
