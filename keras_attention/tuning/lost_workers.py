"""A worker that died in a distributed search -> its trial, taken over by another.

KerasTuner's chief waits for a lost worker for ever: it hands a trial out again only to
a worker of the same KERASTUNER_TUNER_ID, and never ends while one is out. With what is
here the workers are heard of every few seconds, and the trial of one that is silent for
long goes to the next worker that asks, from its beginning. A worker that is started
again under its id still gets its own trial back at once.

What remains: when the chief dies, the workers wait for another at the same address, for
up to an hour; started again, it goes on, and all trials that were under way are run
anew. If all workers die, the chief waits for new ones. And why a trial failed does not
reach the chief, but is printed by the worker.
"""

import contextlib
import os
import threading
import time

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

# Seconds between two signs of life of a worker, and before it asks for a trial: it
# would ask again at once while it has to wait for the trials of others.
BEAT = 2.0
PAUSE = 0.5


def is_worker():
    """Whether this process runs trials for a chief in another process."""
    is_distributed = "KERASTUNER_ORACLE_IP" in os.environ
    return is_distributed and "chief" not in os.environ["KERASTUNER_TUNER_ID"]


class TakeOver:
    """What makes an oracle give the trials of lost workers to others: a mixin.

    Args:
        lost_after: Seconds without a sign of life until a worker is given up.
        **kwargs: Of the oracle.
    """

    def __init__(self, lost_after=60.0, **kwargs):
        super().__init__(**kwargs)
        self.lost_after = lost_after
        self._heard = {}  # id of a worker -> when it was last heard of

    @keras_tuner.synchronized
    def create_trial(self, tuner_id):
        """The next trial, which may be one that a lost worker was at."""
        self._heard[tuner_id] = time.monotonic()
        self._take_over(tuner_id)
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.STOPPED and self.ongoing_trials:
            # Who is at these may die yet, so the worker is to ask again.
            trial.status = TrialStatus.IDLE
            self.tuner_ids.add(tuner_id)
        return trial

    def get_trial(self, trial_id):
        """A trial; to ask for its own is a worker's sign of life."""
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if trial.trial_id == trial_id:
                self._heard[tuner_id] = time.monotonic()
        return super().get_trial(trial_id)

    def _take_over(self, tuner_id):
        """Forget the workers that are lost, and give a trial of theirs to this one."""
        for lost in [one for one in self.tuner_ids if self._is_lost(one)]:
            if lost not in self.ongoing_trials:
                self.tuner_ids.discard(lost)
            elif tuner_id not in self.ongoing_trials:
                self.tuner_ids.discard(lost)
                trial = self.ongoing_trials.pop(lost)
                self.ongoing_trials[tuner_id] = trial
                self.tuner_ids.add(tuner_id)
                print(
                    f"{lost} was silent for {self.lost_after:g} s: {tuner_id} takes "
                    f"over trial {trial.trial_id}.",
                    flush=True,
                )

    def _is_lost(self, tuner_id):
        return time.monotonic() - self._heard[tuner_id] > self.lost_after


class SignsOfLife:
    """What makes a tuner be heard of by the chief while it runs a trial: a mixin."""

    def pre_create_trial(self):
        if is_worker():
            time.sleep(PAUSE)

    def run_trial(self, trial, *fit_args, **fit_kwargs):
        with beating(lambda: self.oracle.get_trial(trial.trial_id)):
            return super().run_trial(trial, *fit_args, **fit_kwargs)


@contextlib.contextmanager
def beating(beat):
    """Call a function every `BEAT` seconds while the block runs, in a worker."""
    if not is_worker():
        yield
        return
    ended = threading.Event()

    def keep_beating():
        while not ended.wait(BEAT):
            beat()

    # In a thread, since a step of training that is compiled may take minutes.
    threading.Thread(target=keep_beating, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
