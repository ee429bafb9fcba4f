"""Data, ranges and a budget -> the best settings found: one call, resumable."""

import json
import os
import pathlib
import sys
import zlib

import keras
import keras_tuner
import numpy as np
from keras_tuner import oracles

from keras_attention.files.replaced_file import replaced_file
from keras_attention.layers.requirements import require_positive
from keras_attention.text.ragged_ids import RaggedIds
from keras_attention.tuning.lost_workers import SignsOfLife, TakeOver, is_worker
from keras_attention.tuning.result import TuningResult, TuningRow

# What trials may be compared by, and which way is better.
OBJECTIVES = {
    "val_loss": "min",
    "val_perplexity": "min",
    "val_accuracy": "max",
    "val_bleu": "max",
}

FACTS = "search.json"


class RandomOracle(TakeOver, oracles.RandomSearchOracle):
    """Draws each setting on its own."""


class BayesianOracle(TakeOver, oracles.BayesianOptimizationOracle):
    """Draws at first, then goes where a Gaussian process expects the most."""


class HyperbandOracle(TakeOver, oracles.HyperbandOracle):
    """Draws many, trains them shortly, and goes on with the best."""


class Tuner(SignsOfLife, keras_tuner.Tuner):
    """Trains what any oracle proposes, for all epochs."""


class HyperbandTuner(SignsOfLife, keras_tuner.Hyperband):
    """Trains for the epochs that Hyperband's oracle says."""

    def __init__(self, oracle, **kwargs):
        # That of keras_tuner.Hyperband would make an oracle of its own.
        keras_tuner.Tuner.__init__(self, oracle=oracle, **kwargs)


def tune(
    hyper_model,
    train,
    valid,
    folder: str | os.PathLike,
    *,
    max_trials: int,
    epochs: int,
    objective: str = "val_loss",
    algorithm: str = "random",
    seed: int = 1,
    lost_after: float = 60.0,
    verbose: int = 1,
) -> TuningResult | None:
    """Search for the best settings within a budget.

    Killed and started again by the same call, it keeps the trials that were complete
    and runs the one at hand anew; with a higher `max_trials` a finished search goes on,
    too. (KerasTuner writes its small files in place: one killed within that moment may
    be unreadable, and the search is then to begin in another folder.)

    Several processes, on one machine or many that share the folder, make one search of
    it, by KerasTuner's convention: the same program is started once as the chief, who
    hands out the trials, and any number of times as a worker, each with an id:

        export KERASTUNER_ORACLE_IP=127.0.0.1 KERASTUNER_ORACLE_PORT=8000
        KERASTUNER_TUNER_ID=chief   python examples/tune.py &
        KERASTUNER_TUNER_ID=worker0 python examples/tune.py &
        KERASTUNER_TUNER_ID=worker1 python examples/tune.py &

    The trial of a worker that dies is run anew by another: see `lost_workers`.

    Args:
        hyper_model: A `TransformerHyperModel` with the ranges.
        train: Token ids (sources, targets) to learn from, as for `TokenBatches`: what a
            tokenizer's `tokenize` returns, or lists.
        valid: The same, to compare trials by.
        folder: Of the search: its trials, with the weights of each one's best epoch.
        max_trials: Most trials.
        epochs: Of each trial; of "hyperband" the most of one.
        objective: "val_loss", "val_perplexity", "val_accuracy" or, with a BleuCallback
            in the hyper model, "val_bleu".
        algorithm: "random", "bayesian" (a third of the trials are random) or
            "hyperband".
        seed: Of the proposals, at least 1.
        lost_after: Seconds without a sign of life until a worker's trial is given away.
        verbose: 0 prints nothing, 1 what KerasTuner and Keras print, 2 a line an epoch.

    Returns:
        A `TuningResult`; in a worker None, as only the chief knows all trials.

    Raises:
        ValueError: A value is out of its range, the data make no batches, or the folder
            is of a search of something else.

    Example:

        hyper_model = TransformerHyperModel(8000, 8000, num_layers=(2, 6))
        result = tune(hyper_model, train, valid, "search", max_trials=30, epochs=5)
        print(result, result.best_settings)
        model = result.best_model()
    """
    require_positive("tune", max_trials=max_trials, epochs=epochs, seed=seed)
    require_choice("objective", objective, OBJECTIVES)
    require_choice("algorithm", algorithm, ("random", "bayesian", "hyperband"))
    require_measured(objective, hyper_model)
    folder = pathlib.Path(folder)
    train, valid = (tuple(map(RaggedIds.of, pair)) for pair in (train, valid))
    require_batches(hyper_model, train, valid)
    facts = {
        "objective": objective,
        "algorithm": algorithm,
        "epochs": epochs,
        "seed": seed,
        "train": checksums(train),
        "valid": checksums(valid),
        **hyper_model.get_config(),
    }
    require_same_search(folder / FACTS, facts)

    oracle = make_oracle(algorithm, objective, max_trials, epochs, seed, lost_after)
    tuner_class = HyperbandTuner if algorithm == "hyperband" else Tuner
    tuner = tuner_class(
        oracle=oracle,
        hypermodel=hyper_model,
        directory=str(folder.parent),
        project_name=folder.name,
    )
    tuner.search(*train, validation_data=valid, epochs=epochs, verbose=verbose)
    keras.config.set_dtype_policy(hyper_model.dtype_policy)
    return None if is_worker() else collect(tuner, hyper_model, objective)


def make_oracle(algorithm, objective, max_trials, epochs, seed, lost_after):
    """The oracle of an algorithm, for at most `max_trials`."""
    common = {
        "objective": keras_tuner.Objective(objective, OBJECTIVES[objective]),
        "seed": seed,
        "lost_after": lost_after,
        # Only a lack of memory and divergence make a trial fail, and say nothing of the
        # next one; a search that fails altogether has a result that says so.
        "max_consecutive_failed_trials": sys.maxsize,
    }
    if algorithm == "hyperband":
        oracle = HyperbandOracle(max_epochs=epochs, **common)
        oracle.max_trials = max_trials
        return oracle
    if algorithm == "bayesian":
        # Left to KerasTuner, the first 33 would be random: three times the settings.
        random_trials = max(1, max_trials // 3)
        return BayesianOracle(
            max_trials=max_trials, num_initial_points=random_trials, **common
        )
    return RandomOracle(max_trials=max_trials, **common)


def collect(tuner, hyper_model, objective):
    """The trials that a tuner has run -> a `TuningResult`."""
    trials = tuner.oracle.trials
    rows = [row_of(trial, hyper_model) for trial in trials.values()]
    sign = 1 if OBJECTIVES[objective] == "min" else -1
    rows.sort(key=lambda row: (row.score is None, sign * (row.score or 0), row.trial))

    return TuningResult(
        objective, rows, load=lambda row: tuner.load_model(trials[row.trial])
    )


def row_of(trial, hyper_model):
    """A trial of KerasTuner's -> a `TuningRow`."""
    settings = hyper_model.settings(trial.hyperparameters.copy())
    last_line = (trial.message or "").strip().rpartition("\n")[2]
    return TuningRow(
        trial=trial.trial_id,
        status=trial.status,
        score=float(trial.score) if trial.status == "COMPLETED" else None,
        parameters=hyper_model.space.count(settings),
        settings=settings,
        reason=last_line.partition("FailedTrialError: ")[2] or last_line,
    )


def checksums(pair):
    """Of the ids of sources and targets: how many, and a checksum."""
    return [[len(ids), zlib.crc32(np.ascontiguousarray(ids.values))] for ids in pair]


def require_same_search(path, facts):
    """Write what a search is of; raise ValueError if another one is there."""
    facts = json.loads(json.dumps(facts))
    if not path.exists():
        with replaced_file(path) as aside:
            aside.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    old = json.loads(path.read_text(encoding="utf-8"))
    for name in {**facts, **old}:
        if facts.get(name) != old.get(name):
            raise ValueError(
                f"tune: got {name}={facts.get(name)}, but the search in {path.parent} "
                f"has {old.get(name)}, and trials of both could not be compared. Give "
                f"what that search has, or another folder."
            )


def require_batches(hyper_model, train, valid):
    """Raise ValueError unless batches can be made of the data, whatever their size."""
    smallest = {"batch_tokens": hyper_model.space.ranges["batch_tokens"][0]}
    for pair in (train, valid):
        hyper_model.batches(smallest, *pair)


def require_measured(objective, hyper_model):
    """Raise ValueError if nothing would measure BLEU."""
    if objective == "val_bleu" and hyper_model.callbacks is None:
        raise ValueError(
            "tune: got objective='val_bleu', but a hyper model without callbacks, and "
            "it is a BleuCallback that measures it. Give the hyper model "
            "callbacks=lambda model: [BleuCallback(...)]."
        )


def require_choice(name, value, known):
    """Raise ValueError unless a value is known."""
    if value not in known:
        raise ValueError(
            f"tune: got {name}={value!r}, but there are only "
            f"{', '.join(map(repr, known))}. Choose one of them."
        )
