"""A training that was killed ends like one that was not, to the bit."""

import errno
import functools
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import keras
import numpy as np
import pytest
import training_script
from keras import ops

import keras_attention as ka
from keras_attention.text.token_batches import TokenBatches
from keras_attention.training import resume as resume_module
from keras_attention.training.resume import ResumableTraining, state_variables
from keras_attention.training.state_file import read_arrays, read_facts, write_state

EPOCHS = 3
EVERY = 2
STEPS = 7  # Batches of an epoch.


class Crash(Exception):
    """Stands for a kill: nothing of ours runs after it."""


def crash_at(call, number):
    """A callback that crashes at the n-th call of one kind, from 1."""
    calls = []

    def count(*args, **kwargs):
        calls.append(args)
        if len(calls) == number:
            raise Crash

    return keras.callbacks.LambdaCallback(**{call: count})


class StepCounter(keras.callbacks.Callback):
    """Count the steps that are done."""

    steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1


class At(keras.callbacks.Callback):
    """Do something with the model after one of the steps, numbered from 1."""

    def __init__(self, step, act):
        super().__init__()
        self.step = step
        self.act = act

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            self.act(self.model)


def batches(seed=3, pairs=44, shuffle=True):
    generator = random.Random(0)
    ids = [
        [generator.randrange(4, 11) for _ in range(generator.randint(1, 8))]
        for _ in range(pairs)
    ]
    options = {"batch_tokens": 56, "num_widths": 2}
    return TokenBatches(ids, ids, seed=seed, shuffle=shuffle, **options)


def valid():
    return batches(pairs=9, shuffle=False)


def small_model(policy="float32", units=5, steps_per_execution=1, **adam):
    """Embeddings, dropout and a projection, compiled."""
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(7)
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    target_ids = keras.Input((None,), dtype="int32", name="target_ids")
    source = keras.layers.Embedding(11, units)(source_ids)
    source = keras.layers.GlobalAveragePooling1D(keepdims=True)(source)
    target = keras.layers.Embedding(11, units)(target_ids)
    x = ka.Dropout(0.3)(keras.layers.Add()([source, target]))
    logits = keras.layers.Dense(11)(x)
    model = keras.Model({"source_ids": source_ids, "target_ids": target_ids}, logits)
    model.compile(
        keras.optimizers.Adam(ka.WarmupSchedule(8, 10), **adam),
        ka.MaskedCrossentropy(),
        metrics=[ka.MaskedAccuracy(), ka.Perplexity()],
        jit_compile=False,
        steps_per_execution=steps_per_execution,
    )
    return model


def fit(path, *callbacks, model=None, data=None, epochs=EPOCHS):
    """Train, or go on: the command that is given again and again."""
    model = model or small_model()
    data = batches() if data is None else data
    resume = ResumableTraining(path, model, data, every=EVERY, callbacks=callbacks)
    history = model.fit(
        **resume.fit_arguments(),
        epochs=epochs,
        validation_data=valid(),
        verbose=0,
    )
    return model, history.history


@functools.cache
def uninterrupted(epochs=EPOCHS, **model):
    """State and history of a plain `fit`."""
    model = small_model(**model)
    history = model.fit(batches(), epochs=epochs, validation_data=valid(), verbose=0)
    return values(model), history.history


def values(model):
    """Weights, optimizer and seeds, as bytes."""
    return [ops.convert_to_numpy(one).tobytes() for one in state_variables(model)]


def require_same(trained, expected):
    model, history = trained
    assert values(model) == expected[0]
    assert history == expected[1]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "state"


@functools.cache
def state_after_an_epoch():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "state"
        fit(path, epochs=1)
        return path.read_bytes()


@pytest.fixture
def saved(path):
    """Path of the state after one epoch."""
    path.parent.mkdir()
    path.write_bytes(state_after_an_epoch())
    return path


def test_the_data_of_these_tests_have_some_steps():
    assert len(batches()) == STEPS


def test_it_changes_nothing_of_a_training_that_is_not_killed(path, capsys):
    require_same(fit(path), uninterrupted())
    assert capsys.readouterr().out == ""
    assert [file.name for file in path.parent.iterdir()] == ["state"]


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("on_train_begin", 1),
        ("on_train_batch_begin", 1),
        ("on_train_batch_begin", 5),
        ("on_train_batch_end", STEPS + 4),
        ("on_train_batch_end", 2 * STEPS),
        ("on_test_batch_end", 3),
        ("on_epoch_end", 2),
        ("on_train_end", 1),
    ],
)
def test_killed_anywhere_it_ends_as_if_it_was_not(path, call, number):
    counter = StepCounter()
    with pytest.raises(Crash):
        fit(path, counter, crash_at(call, number))
    require_same(fit(path, counter), uninterrupted())
    assert EPOCHS * STEPS <= counter.steps <= EPOCHS * STEPS + EVERY


def test_killed_over_and_over_it_still_arrives(path):
    for _ in range(5):
        with pytest.raises(Crash):
            fit(path, crash_at("on_train_batch_end", 4))
    require_same(fit(path), uninterrupted())


@pytest.mark.parametrize(
    "settings",
    [
        {"use_ema": True, "ema_momentum": 0.9},
        {"gradient_accumulation_steps": 3},
        {"global_clipnorm": 0.1, "amsgrad": True},
        {"steps_per_execution": 2},
        {"policy": "bfloat16"},
        {"policy": "mixed_float16"},
    ],
    ids=str,
)
def test_it_holds_for_other_settings(path, settings):
    if "steps_per_execution" in settings and keras.backend.backend() == "torch":
        pytest.skip("Keras on torch takes one step at a time")
    with pytest.raises(Crash):
        crash = crash_at("on_train_batch_begin", 6)
        fit(path, crash, model=small_model(**settings))
    trained = fit(path, model=small_model(**settings))
    require_same(trained, uninterrupted(**settings))


@pytest.mark.parametrize("step", [STEPS + 4, 2 * STEPS + 1])
def test_swapped_averages_are_swapped_back(path, step):
    def averaging():
        return small_model(use_ema=True, ema_momentum=0.9)

    def swap():
        return keras.callbacks.SwapEMAWeights(swap_on_epoch=True)

    whole, history = fit(path.with_name("whole"), swap(), model=averaging())
    with pytest.raises(Crash):
        fit(path, swap(), crash_at("on_train_batch_end", step), model=averaging())
    require_same(fit(path, swap(), model=averaging()), (values(whole), history))


def test_after_the_last_epoch_the_same_command_trains_no_more(path, capsys):
    fit(path)
    counter = StepCounter()
    require_same(fit(path, counter), uninterrupted())
    assert counter.steps == 0
    assert "goes on from the end of epoch 3 in" in capsys.readouterr().out


def test_more_epochs_go_on_where_fewer_ended(saved):
    require_same(fit(saved), uninterrupted())


def test_one_object_serves_one_fit_after_the_other(path):
    model = small_model()
    crash = crash_at("on_train_batch_begin", STEPS + 4)
    resume = ResumableTraining(path, model, batches(), every=EVERY, callbacks=[crash])
    arguments = {"validation_data": valid(), "verbose": 0, "epochs": EPOCHS}
    with pytest.raises(Crash):
        model.fit(**resume.fit_arguments(), **arguments)
    history = model.fit(**resume.fit_arguments(), **arguments)
    require_same((model, history.history), uninterrupted())


def test_an_early_stop_is_kept(path):
    def stopping():
        return keras.callbacks.EarlyStopping(
            "loss", mode="max", restore_best_weights=True
        )

    plain = small_model()
    history = plain.fit(batches(), epochs=9, callbacks=[stopping()], verbose=0)
    assert len(history.epoch) == 2
    with pytest.raises(Crash):
        fit_unvalidated(path, stopping(), crash_at("on_train_batch_end", STEPS + 2))
    for _ in range(2):
        trained = fit_unvalidated(path, stopping())
        require_same(trained, (values(plain), history.history))


def fit_unvalidated(path, *callbacks):
    model = small_model()
    resume = ResumableTraining(path, model, batches(), EVERY, callbacks)
    history = model.fit(**resume.fit_arguments(), epochs=9, verbose=0)
    return model, history.history


class Sums(keras.callbacks.Callback):
    """A callback of a user's, with a state."""

    def __init__(self):
        super().__init__()
        self.sums = None

    def on_train_begin(self, logs=None):
        self.sums = np.zeros(2)

    def on_train_batch_end(self, batch, logs=None):
        self.sums += [1, logs["loss"]]

    def get_state(self):
        return {"sums": self.sums}

    def set_state(self, state):
        self.sums = state["sums"]


def test_callbacks_with_a_state_go_on_from_it(path):
    whole, part, rest = Sums(), Sums(), Sums()
    small_model().fit(batches(), epochs=EPOCHS, callbacks=[whole], verbose=0)
    with pytest.raises(Crash):
        fit(path, part, crash_at("on_train_batch_end", STEPS + 3))
    fit(path, rest)
    assert rest.sums[0] == EPOCHS * STEPS
    np.testing.assert_array_equal(rest.sums, whole.sums)


def test_it_says_where_it_goes_on(path, capsys):
    with pytest.raises(Crash):
        fit(path, crash_at("on_train_batch_end", STEPS + 3))
    fit(path)
    message = f"ResumableTraining: goes on from epoch 2, batch 2 of 7 in {path}."
    assert message in capsys.readouterr().out


@pytest.fixture
def handlers():
    """Ctrl-C is a KeyboardInterrupt, SIGTERM a Crash, whoever runs the tests."""

    def crash(number, frame):
        raise Crash

    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.getsignal(number) for number in numbers]
    for number, handler in zip(numbers, [signal.default_int_handler, crash]):
        signal.signal(number, handler)
    yield
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "error", "step", "place"),
    [
        (signal.SIGINT, KeyboardInterrupt, STEPS + 3, "epoch 2, batch 3 of 7"),
        (signal.SIGTERM, Crash, 2 * STEPS, "the end of epoch 2"),
    ],
)
def test_a_signal_saves_the_step_at_hand(
    path, handlers, capsys, number, error, step, place
):
    counter = StepCounter()
    with pytest.raises(error):
        fit(path, counter, At(step, lambda model: signal.raise_signal(number)))
    assert counter.steps == step
    message = f"stops. The same command goes on from {place} in {path}."
    assert message in capsys.readouterr().out
    require_same(fit(path, counter), uninterrupted())
    assert counter.steps == EPOCHS * STEPS


def test_after_a_training_signals_are_what_they_were(path, handlers):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    fit(path, epochs=1)
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


class Disk:
    """Where states are written; while it is full, a half is all that fits."""

    full = False

    def write_state(self, path, facts, arrays):
        write_state(path, facts, arrays)
        if self.full:
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    def fill(self, model=None):
        self.full = True

    def free(self, model=None):
        self.full = False


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    monkeypatch.setattr(resume_module, "write_state", disk.write_state)
    return disk


def test_a_full_disk_leaves_the_last_state_and_lets_training_go_on(path, disk):
    message = (
        r"could not save epoch 2, batch 4 of 7 \(.*No space left on device\). "
        rf"Training goes on, and {path} still holds epoch 2, batch 2 of 7"
    )
    crash = crash_at("on_train_batch_end", STEPS + 6)
    with pytest.warns(UserWarning, match=message), pytest.raises(Crash):
        fit(path, At(STEPS + 3, disk.fill), crash)
    assert [file.name for file in path.parent.iterdir()] == ["state"]
    disk.free()
    require_same(fit(path), uninterrupted())


def test_after_a_full_disk_it_saves_again(path, disk):
    callbacks = At(STEPS + 3, disk.fill), At(STEPS + 5, disk.free)
    with pytest.warns(UserWarning, match="batch 4 of 7") as warned:
        require_same(fit(path, *callbacks), uninterrupted())
    assert sum("could not save" in str(one.message) for one in warned) == 1
    assert read_facts(path)["place"]["epoch"] == EPOCHS


def test_a_disk_that_is_full_from_the_start_is_an_error(path, disk):
    disk.fill()
    with pytest.raises(OSError, match="No space left on device"):
        fit(path)
    assert list(path.parent.iterdir()) == []


def spoil(model):
    """Put one value that is not finite into the weights."""
    value = ops.convert_to_numpy(model.trainable_variables[1]).copy()
    value[2, 3] = np.inf
    model.trainable_variables[1].assign(value)


def test_weights_that_are_not_finite_never_replace_a_good_state(path):
    message = (
        r"got \d+ of 55 values of embedding.* that are not finite, at epoch 2, "
        rf"batch 4 of 7, .*{path} still holds epoch 2, batch 2 of 7"
    )
    with pytest.raises(FloatingPointError, match=message):
        fit(path, At(STEPS + 3, spoil))
    require_same(fit(path), uninterrupted())


def test_a_damaged_state_is_told(saved):
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f"got {saved}, but it cannot be read"):
        fit(saved)


def test_a_state_of_another_model_is_refused(saved):
    message = (
        r"got a model that has \['embedding.*', \[11, 6\], 'float32'\] where "
        rf"{saved} has \['embedding.*', \[11, 5\], 'float32'\]"
    )
    with pytest.raises(ValueError, match=message):
        fit(saved, model=small_model(units=6))


def test_a_state_of_another_optimizer_is_refused(saved):
    message = "got a model that has .*_average', .* where .* has .*_momentum', "
    with pytest.raises(ValueError, match=message):
        fit(saved, model=small_model(use_ema=True))


def test_a_state_of_other_metrics_is_refused(path):
    with pytest.raises(Crash):
        fit(path, crash_at("on_train_batch_end", 3))
    model = small_model()
    model.compile(model.optimizer, model.loss, metrics=[ka.Perplexity()])
    message = r"has \['perplexity.* where .* has \['accuracy"
    with pytest.raises(ValueError, match=message):
        fit(path, model=model)


def test_a_state_of_more_or_fewer_batches_is_refused(saved):
    message = f"got {len(batches(pairs=99))} batches an epoch, but {saved} is of a .* 7"
    with pytest.raises(ValueError, match=message):
        fit(saved, data=batches(pairs=99))


def test_a_state_of_data_in_another_order_is_refused(saved):
    message = rf"next batch has checksum \d+, but in the training of {saved} it has \d+"
    with pytest.raises(ValueError, match=message):
        fit(saved, data=batches(seed=4))


def test_arguments_of_a_fit_before_are_refused(path):
    model = small_model()
    resume = ResumableTraining(path, model, batches(), EVERY)
    arguments = resume.fit_arguments()
    model.fit(**arguments, epochs=1, verbose=0)
    message = f"got epoch 0 to begin with, but {path} goes on from the end of epoch 1"
    with pytest.raises(ValueError, match=message):
        model.fit(**arguments, epochs=2, verbose=0)


def test_callbacks_of_its_own_alone_are_refused(path):
    model = small_model()
    resume = ResumableTraining(path, model, batches(), EVERY)
    with pytest.raises(ValueError, match=f"got other callbacks, but {path} goes on"):
        model.fit(batches(), callbacks=[resume], verbose=0)


def test_a_model_that_is_not_built_is_refused(path):
    model = keras.Sequential([keras.layers.Dense(3)], name="empty")
    with pytest.raises(ValueError, match="got the model 'empty' that is not built"):
        ResumableTraining(path, model, batches(), EVERY)


def test_a_model_that_is_not_compiled_is_refused(path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)], name="raw")
    with pytest.raises(ValueError, match="got the model 'raw' that is not compiled"):
        ResumableTraining(path, model, batches(), EVERY)


@pytest.mark.parametrize("every", [0, -2])
def test_a_state_every_no_step_is_refused(path, every):
    with pytest.raises(ValueError, match=f"ResumableTraining: got every={every}, but"):
        ResumableTraining(path, small_model(), batches(), every)


@pytest.mark.tensorflow
def test_a_dataset_of_tensorflow_goes_on_in_the_middle_too(path):
    """Iterators count from the first one of a dataset, so each run makes its own."""

    def dataset():
        lines = [f"{number:b}" for number in range(1, 60)]
        tokenizer = ByteTokenizer()
        return ka.translation_dataset(
            lines, lines, tokenizer, tokenizer, batch_tokens=64, num_widths=2, seed=5
        )

    plain = small_model()
    history = plain.fit(dataset(), epochs=EPOCHS, verbose=0)
    assert len(dataset()) > 2 * EVERY
    for call, number in [("on_train_batch_end", 5), ("on_train_batch_begin", 12)]:
        with pytest.raises(Crash):
            fit_dataset(path, dataset(), crash_at(call, number))
    require_same(fit_dataset(path, dataset()), (values(plain), history.history))


class ByteTokenizer:
    """0 -> 4, 1 -> 5: enough of a tokenizer for `translation_dataset`."""

    def tokenize(self, strings):
        import tensorflow as tf

        return tf.cast(tf.strings.unicode_decode(strings, "UTF-8"), tf.int32) - 44


def fit_dataset(path, dataset, *callbacks):
    model = small_model()
    resume = ResumableTraining(path, model, dataset, EVERY, callbacks)
    history = model.fit(**resume.fit_arguments(), epochs=EPOCHS, verbose=0)
    return model, history.history


SCRIPT = pathlib.Path(training_script.__file__)


def start_script(state, pause):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(state), str(pause)],
        env={
            **os.environ,
            "KERAS_BACKEND": keras.backend.backend(),
            # TensorFlow's files of code, which a killed process does not remove.
            "TMPDIR": str(state.parents[1]),
        },
        stdout=subprocess.PIPE,
        text=True,
    )


def steps_of(process):
    """Number of each step that the script says it has done."""
    for line in process.stdout:
        if line.startswith("step "):
            yield int(line.split()[1])


def test_a_process_killed_three_times_ends_as_if_it_was_not(path):
    """Each start costs the seconds that it takes to import Keras."""
    generator = random.Random(11)
    last = 0
    for _ in range(3):
        with start_script(path, pause=0.02) as process:
            steps = steps_of(process)
            first = next(steps)
            assert last - training_script.EVERY < first <= last + 1
            taken = [next(steps) for _ in range(generator.randint(3, 10))]
            time.sleep(generator.uniform(0, 0.05))
            process.kill()
            last = max([*taken, *steps])
        assert process.returncode == -signal.SIGKILL
    with start_script(path, pause=0) as process:
        assert max(steps_of(process)) == 45
    assert process.returncode == 0

    train, held_out = training_script.data()
    model = training_script.transformer()
    history = model.fit(
        train, epochs=training_script.EPOCHS, validation_data=held_out, verbose=0
    )
    assert [array.tobytes() for array in read_arrays(path)] == values(model)
    kept = read_facts(path)["callbacks"]["History 1"]
    assert kept == {"history": history.history, "epoch": history.epoch}
