"""The hyper model works with KerasTuner's tuners as they are."""

import math
import sys

import keras
import keras_tuner
import numpy as np
import pytest
from keras import ops
from tuning_script import pairs, small_hyper_model

import keras_attention as ka
from keras_attention import tuning
from keras_attention.tuning import TransformerHyperModel
from keras_attention.tuning.search_space import SETTINGS

# KerasTuner's own, on the Python of today.
pytestmark = [
    pytest.mark.usefixtures("uncompiled"),
    pytest.mark.filterwarnings(
        "ignore:currentThread:DeprecationWarning",
        "ignore:getName:DeprecationWarning",
        "ignore:The optimal value found for dimension",
    ),
]

TRAIN, VALID = pairs(60, seed=0), pairs(20, seed=1)
TUNERS = {
    "random": lambda **kw: keras_tuner.RandomSearch(max_trials=12, **kw),
    "bayesian": lambda **kw: keras_tuner.BayesianOptimization(
        max_trials=5, num_initial_points=3, **kw
    ),
    "hyperband": lambda **kw: keras_tuner.Hyperband(max_epochs=2, factor=2, **kw),
}


def tuner_of(name, hyper_model, folder, **kwargs):
    arguments = {"objective": "val_loss", "seed": 1, **kwargs}
    return TUNERS[name](hypermodel=hyper_model, directory=str(folder), **arguments)


def search(tuner, **kwargs):
    arguments = {"validation_data": VALID, "epochs": 1, "verbose": 0, **kwargs}
    tuner.search(*TRAIN, **arguments)


@pytest.mark.parametrize("name", TUNERS)
def test_whatever_a_tuner_proposes_is_valid_and_within_the_budget(name, tmp_path):
    hyper_model = TransformerHyperModel(
        11,
        13,
        max_parameters=10_000,
        num_layers=(1, 3),
        num_decoder_layers=(1, 2),
        d_model=(8, 32),
        num_heads=(1, 8),
        d_ff=(8, 64),
    )
    oracle = tuner_of(name, hyper_model, tmp_path).oracle
    asked = 0
    while (trial := oracle.create_trial("tuner0")).status == "RUNNING":
        asked += 1
        settings = hyper_model.settings(trial.hyperparameters)
        assert list(settings) == list(SETTINGS)
        assert settings["d_model"] % settings["num_heads"] == 0
        assert hyper_model.space.count(settings) <= 10_000
        if asked == 1:
            model = hyper_model.build(trial.hyperparameters)
            assert model.count_params() == hyper_model.space.count(settings)
        loss = abs(math.log(settings["peak_rate"] / 3e-3)) + settings["dropout_rate"]
        oracle.update_trial(trial.trial_id, {"val_loss": loss})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert asked >= 5


@pytest.mark.tensorflow  # the same code on each backend, and JAX compiles for long
@pytest.mark.parametrize(
    ("name", "trials"), [("random", 1), ("bayesian", 2), ("hyperband", 3)]
)
def test_a_tuner_searches(name, trials, tmp_path):
    tuner = tuner_of(name, small_hyper_model(), tmp_path)
    tuner.oracle.max_trials = trials
    tuner.oracle.num_initial_points = 1  # Then Bayes.
    search(tuner)
    done = list(tuner.oracle.trials.values())
    assert [trial.status for trial in done] == ["COMPLETED"] * trials
    if name == "hyperband":  # Two trials of one epoch, and the better one goes on.
        assert done[2].hyperparameters.values["tuner/initial_epoch"] == 1
        assert done[2].score < min(done[0].score, done[1].score)
    [model] = tuner.get_best_models()
    best = tuner.oracle.get_best_trials()[0]
    batches = small_hyper_model().batches({"batch_tokens": 100}, *VALID, shuffle=False)
    figures = model.evaluate(batches, return_dict=True, verbose=0)
    assert math.log(figures["perplexity"]) == pytest.approx(best.score, rel=1e-4)


class Note(keras.callbacks.Callback):
    """Keep what each epoch begins with."""

    notes = []

    def on_epoch_begin(self, epoch, logs=None):
        steps = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        self.notes.append((epoch, steps))


def test_a_training_that_goes_on_has_its_learning_rate_and_data(monkeypatch):
    monkeypatch.setattr(Note, "notes", [])
    hyper_model = small_hyper_model(callbacks=lambda model: [Note()])
    hp = keras_tuner.HyperParameters()
    hyper_model.fit(
        hp,
        hyper_model.build(hp),
        *TRAIN,
        validation_data=VALID,
        initial_epoch=2,
        epochs=4,
        verbose=0,
    )
    batches = len(hyper_model.batches({"batch_tokens": 100}, *TRAIN))
    assert Note.notes == [(2, 2 * batches), (3, 3 * batches)]


def test_the_loss_to_compare_is_without_smoothing():
    losses = []
    for label_smoothing in (0.0, 0.5):
        hyper_model = small_hyper_model(
            label_smoothing=label_smoothing, peak_rate=1e-9, dropout_rate=0.0
        )
        hp = keras_tuner.HyperParameters()
        keras.utils.set_random_seed(0)
        model = hyper_model.build(hp)
        history = hyper_model.fit(hp, model, *TRAIN, VALID, verbose=0).history
        losses.append(history["val_loss"])
        assert model.loss.label_smoothing == label_smoothing
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_learning_rate_has_the_peak_that_is_proposed():
    hyper_model = small_hyper_model(peak_rate=3e-3, warmup_steps=7)
    model = hyper_model.build(keras_tuner.HyperParameters())
    rate = model.optimizer.get_config()["learning_rate"]
    schedule = keras.optimizers.schedules.deserialize(rate)
    assert float(schedule(6)) == pytest.approx(3e-3)
    assert float(schedule(8)) < 3e-3


def test_trials_have_the_dtype_policy_of_the_user(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    hyper_model = small_hyper_model()
    keras.utils.clear_session()  # As KerasTuner does, and then it is float32.
    model = hyper_model.build(keras_tuner.HyperParameters())
    assert model.compute_dtype == "bfloat16"


class Spoil(keras.callbacks.Callback):
    """Have a training diverge."""

    def on_train_batch_end(self, batch, logs=None):
        weight = self.model.trainable_variables[0]
        weight.assign(np.full(weight.shape, np.nan))


class Fail(keras.callbacks.Callback):
    """Raise an error in a training."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_train_begin(self, logs=None):
        raise self.error


def test_trials_that_fail_are_counted_and_the_search_goes_on(tmp_path):
    befalls = iter([[Fail(MemoryError("no more"))], [Spoil()], []])
    hyper_model = small_hyper_model(callbacks=lambda model: next(befalls))
    tuner = tuner_of("random", hyper_model, tmp_path)
    tuner.oracle.max_trials = 3
    search(tuner)
    first, second, third = tuner.oracle.trials.values()
    assert (first.status, second.status) == ("FAILED", "FAILED")
    assert "FailedTrialError: out of memory: MemoryError no more" in first.message
    assert "FailedTrialError: diverged: StopOnBadLoss: got loss=nan" in second.message
    assert third.status == "COMPLETED"


def test_a_model_too_large_for_any_memory_is_a_failed_trial(tmp_path):
    hyper_model = small_hyper_model(d_ff=[8, 2**45])
    tuner = tuner_of("random", hyper_model, tmp_path)
    hp = tuner.oracle.get_space()
    hp.values["d_ff"] = 2**45
    with pytest.raises(keras_tuner.errors.FailedTrialError, match="out of memory: "):
        hyper_model.build(hp)


def test_an_error_in_a_callback_ends_the_search(tmp_path):
    hyper_model = small_hyper_model(callbacks=lambda model: [Fail(KeyError("bird"))])
    tuner = tuner_of("random", hyper_model, tmp_path)
    with pytest.raises(keras_tuner.errors.FatalRuntimeError, match="KeyError.*bird"):
        search(tuner)


def test_trials_can_be_compared_by_bleu(tmp_path):
    pytest.importorskip("sacrebleu")
    texts = ["one two three four five"]

    def callbacks(model):
        return [ka.BleuCallback(lambda sources: texts, texts, texts, verbose=0)]

    objective = keras_tuner.Objective("val_bleu", "max")
    hyper_model = small_hyper_model(callbacks=callbacks)
    tuner = tuner_of("random", hyper_model, tmp_path, objective=objective)
    tuner.oracle.max_trials = 1
    search(tuner)
    assert tuner.oracle.get_best_trials()[0].score == pytest.approx(100)


def test_a_batch_without_room_for_a_sentence_is_refused():
    with pytest.raises(
        ValueError,
        match="TransformerHyperModel: got batch_tokens=8 and max_length=9, but",
    ):
        small_hyper_model(batch_tokens=[8, 16], max_length=9)


@pytest.mark.parametrize("package", ["keras_tuner", "tensorboard"])
def test_without_a_package_one_is_told_what_to_install(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ImportError, match=rf"keras_attention.tuning: got no {package}, but.*\[tune\]"
    ):
        tuning.TransformerHyperModel


def test_a_name_that_is_not_there_is_named():
    assert dir(tuning) == ["TransformerHyperModel", "TuningResult", "tune"]
    with pytest.raises(
        AttributeError, match="keras_attention.tuning' has no attribute 'Bird'"
    ):
        tuning.Bird
