import doctest
import importlib.util
import itertools
import os
import pathlib
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention
from keras_attention.special_tokens import END, PAD, START, UNKNOWN
from keras_attention.text import token_batches
from keras_attention.text.token_batches import TokenBatches

ROOT = pathlib.Path(keras_attention.__file__).parents[1]


def random_ids(count=53, longest=12):
    """Pairs of sentences of 1 to `longest` ids, no two alike."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(1, longest + 1, (2, count))
    sources, targets = (
        [draw.integers(4, 30, length).tolist() for length in side] for side in lengths
    )
    return sources, targets


def build(sources=None, targets=None, **options):
    """By default 53 pairs in 3 widths, 9 batches an epoch."""
    if sources is None:
        sources, targets = random_ids()
    return TokenBatches(
        sources, targets, **{"batch_tokens": 80, "num_widths": 3, "seed": 7, **options}
    )


def arrays_of(batch):
    inputs, labels = batch
    return inputs["source_ids"], inputs["target_ids"], labels


def one_pass(batches):
    return [arrays_of(batch) for batch in batches]


def assert_same_batches(some, others):
    for batch, other in zip(some, others, strict=True):
        assert all(map(np.array_equal, batch, other))


def pairs_in(batches):
    """(source, target) of each row that is not padding, in the order served."""
    return [
        (source[source > END].tolist(), label[label > END].tolist())
        for source_ids, _, labels in batches
        for source, label in zip(source_ids, labels)
        if label[0] != PAD
    ]


# What a batch holds.


def test_a_pair_becomes_source_target_and_labels():
    [(source_ids, target_ids, labels)] = one_pass(build([[5, 6, 7]], [[8, 9]]))
    assert source_ids.tolist() == [[5, 6, 7, END]]
    assert target_ids.tolist() == [[START, 8, 9, PAD]]
    assert labels.tolist() == [[8, 9, END, PAD]]
    assert {source_ids.dtype, target_ids.dtype, labels.dtype} == {np.dtype("int32")}


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_pair_comes_exactly_once_an_epoch(shuffle):
    batches, expected = build(shuffle=shuffle), sorted(zip(*random_ids()))
    for _ in range(2):
        served = one_pass(batches)
        assert sorted(pairs_in(served)) == expected
        assert len(served) == len(batches) == 9


def test_the_example_in_its_documentation_runs():
    results = doctest.testmod(token_batches)
    assert results.attempted >= 5
    assert results.failed == 0


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": True, "seed": 7},
        {"shuffle": False},
        {"max_length": 9, "too_long": "truncate", "num_widths": 2},
        {"max_length": 9, "too_long": "drop", "batch_tokens": 31},
    ],
)
@pytest.mark.filterwarnings("ignore:.*max_length=9")
def test_batches_are_those_of_translation_dataset(options):
    from keras_attention.text.dataset import translation_dataset
    from keras_attention.text.tokenizer import SubwordTokenizer

    lines = [["abcdefghij"[id % 10] for id in row] for row in sum(random_ids(), [])]
    lines = ["".join(line) for line in lines]
    sources, targets = lines[:53], lines[53:]
    letters = SubwordTokenizer.train(["abcdefghij"], model_type="char")
    options = {"batch_tokens": 80, "num_widths": 3, **options}
    dataset = translation_dataset(sources, targets, letters, letters, **options)
    ids = letters.tokenize(sources), letters.tokenize(targets).to_list()
    batches = TokenBatches(*ids, **options)
    for _ in range(3):
        in_graph = [arrays_of(batch) for batch in dataset.as_numpy_iterator()]
        assert_same_batches(in_graph, one_pass(batches))


# Epochs, and where they start.


def test_loops_are_epochs_and_each_has_its_own_order():
    first, second = build(), build()
    epochs = [one_pass(first) for _ in range(3)]
    for epoch in epochs:
        assert_same_batches(epoch, one_pass(second))
    orders = [pairs_in(epoch) for epoch in epochs]
    assert all(one != other for one, other in itertools.combinations(orders, 2))
    assert pairs_in(one_pass(build(seed=8))) != orders[0]


def test_a_loop_that_is_broken_off_is_no_epoch():
    batches = build()
    for _ in zip(range(4), batches):
        pass
    assert_same_batches(one_pass(batches), one_pass(build()))


def test_a_look_takes_nothing_away_and_sees_two_widths_first():
    batches = build()
    assert len({arrays_of(batches[index])[2].shape[1] for index in (0, 1)}) == 2
    looks = [arrays_of(batches[index]) for index in range(len(batches))]
    assert sorted(pairs_in(looks)) == sorted(zip(*random_ids()))
    with pytest.raises(IndexError):
        batches[9]
    assert_same_batches(one_pass(batches), one_pass(build()))


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_run_can_go_on_from_any_batch(shuffle):
    batches = build(shuffle=shuffle)
    epochs = [one_pass(batches) for _ in range(3)]
    for epoch, batch in [(0, 0), (0, 1), (0, 8), (1, 0), (1, 4)]:
        resumed = build(shuffle=shuffle).starting_at(epoch, batch)
        assert_same_batches(one_pass(resumed), epochs[epoch][batch:])
        assert_same_batches(one_pass(resumed), epochs[epoch + 1])
        assert len(resumed) == 9


def test_the_end_of_an_epoch_is_the_start_of_the_next():
    end, start = build().starting_at(1, 9), build().starting_at(2)
    assert_same_batches(one_pass(end), one_pass(start))


def test_a_start_leaves_the_data_it_was_asked_of_where_they_are():
    batches = build()
    one_pass(batches)
    batches.starting_at(4, 3)
    assert_same_batches(one_pass(batches), one_pass(build().starting_at(1)))


@pytest.mark.parametrize("epoch, batch", [(-1, 0), (0, -1), (2, 10)])
def test_a_start_outside_of_the_epochs_is_refused(epoch, batch):
    message = f"starting_at: got epoch={epoch} and batch={batch}, .*has 9 batches"
    with pytest.raises(ValueError, match=message):
        build().starting_at(epoch, batch)


# In `fit`.


class BatchNumber(keras.metrics.Metric):
    """Know a batch again by its labels: their sum, weighted by their places."""

    def __init__(self, name="number"):
        super().__init__(name=name)
        self.number = self.add_weight(name="number", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.number.assign(fingerprint(ops.cast(y_true, "float32"), ops))

    def result(self):
        return self.number + 0.0


def fingerprint(labels, ops=np):
    """Below 2**24, so that float32 holds it."""
    rows = 1 + 3 * ops.arange(ops.shape(labels)[0], dtype="float32")
    columns = 1 + ops.arange(ops.shape(labels)[1], dtype="float32")
    return ops.sum(labels * rows[:, None] * columns)


def fingerprints(batches):
    return [float(fingerprint(labels.astype("float32"))) for *_, labels in batches]


class TraceCounter(keras.layers.Layer):
    """Count how often Python runs `call`: once a trace."""

    def __init__(self):
        super().__init__()
        self.traces = 0

    def call(self, x):
        self.traces += 1
        return x


class Journal(keras.callbacks.Callback):
    """The batches trained on, of each epoch by itself."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append([])

    def on_train_batch_end(self, batch, logs=None):
        self.epochs[-1].append(float(logs["number"]))


class Stop(keras.callbacks.Callback):
    """Leave the first epoch after some batches: for good, or for the next one."""

    def __init__(self, batches, for_good):
        super().__init__()
        self.batches, self.for_good, self.is_first = batches, for_good, True

    def on_train_batch_begin(self, batch, logs=None):
        if not self.for_good and self.is_first and batch == self.batches:
            raise StopIteration

    def on_train_batch_end(self, batch, logs=None):
        if self.for_good and batch + 1 == self.batches:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        self.is_first = False


@pytest.fixture
def model():
    inputs = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("source_ids", "target_ids")
    }
    embed, counter = keras.layers.Embedding(30, 3), TraceCounter()
    x = counter(embed(inputs["source_ids"]) + embed(inputs["target_ids"]))
    model = keras.Model(inputs, keras.layers.Dense(30)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(True, ignore_class=PAD)
    # Without it JAX would not trace at all, and TensorFlow would once a width.
    jit_compile = keras.backend.backend() == "jax"
    metrics = [BatchNumber()]
    model.compile("sgd", loss, metrics=metrics, jit_compile=jit_compile)
    model.counter, counter.traces = counter, 0
    return model


def fit(model, batches, epochs, *callbacks, **options):
    journal = Journal()
    model.fit(
        batches, epochs=epochs, verbose=0, callbacks=[*callbacks, journal], **options
    )
    return journal.epochs


def whole_epochs(first, last, **options):
    batches = build(**options).starting_at(first)
    return [fingerprints(one_pass(batches)) for _ in range(first, last)]


def test_fit_trains_on_epoch_after_epoch_in_their_order(model):
    """Though it would shuffle by itself; without a warning; in one fit or in two."""
    batches, valid = build(), build(shuffle=False)
    expected = whole_epochs(0, 3)
    assert fit(model, batches, 2, validation_data=valid) == expected[:2]
    assert fit(model, batches, 1) == expected[2:]
    traces = model.counter.traces
    if keras.backend.backend() == "tensorflow":
        # Once to train and once to evaluate, whatever the width.
        assert traces == 2
    elif keras.backend.backend() == "jax":
        # Once to build the metrics, and once a width to train and to evaluate.
        assert traces == 1 + 2 * 3


@pytest.mark.parametrize("batch", [0, 3, 8])
def test_one_fit_goes_on_in_the_middle_of_an_epoch(model, batch):
    resumed, left = build().starting_at(4, batch), 9 - batch
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Your input ran out of data")
        stop = Stop(left, for_good=False)
        epochs = fit(model, resumed, 6, stop, initial_epoch=4)
    [first, second] = whole_epochs(4, 6)
    assert epochs == [first[batch:], second]
    assert int(model.optimizer.iterations) == left + 9


def test_a_fit_that_stops_in_an_epoch_begins_it_anew_in_the_next(model):
    batches = build(shuffle=False)
    [epoch] = whole_epochs(0, 1, shuffle=False)
    assert fit(model, batches, 5, Stop(2, for_good=True)) == [epoch[:2]]
    assert fit(model, batches, 1) == [epoch]


def test_workers_are_not_to_be_had(model):
    """Even Keras's other switch for them leaves the order alone."""
    batches = build()
    with pytest.raises(AttributeError, match="workers"):
        batches.workers = 4
    batches.use_multiprocessing = True
    assert fit(model, batches, 1) == whole_epochs(0, 1)


@pytest.mark.parametrize("batch_tokens", [13, 700])
def test_epochs_of_one_batch_follow_one_another(model, batch_tokens):
    """Keras looks at a whole epoch of them before it trains."""
    count = 1 if batch_tokens == 13 else 50
    sources, targets = (side[:count] for side in random_ids())
    options = {"num_widths": 1, "batch_tokens": batch_tokens}
    batches = build(sources, targets, **options)
    other = build(sources, targets, **options)
    expected = [fingerprints(one_pass(other)) for _ in range(3)]
    assert fit(model, batches, 2) + fit(model, batches, 1) == expected
    assert len(batches) == 1


def test_evaluation_sees_every_batch_of_every_width(model):
    batches = build(shuffle=False)
    losses = [model.evaluate(batches, verbose=0)[0] for _ in range(2)]
    assert losses[0] == losses[1]
    every_batch = list(batches)
    alone = [model.test_on_batch(*batch)[0] for batch in every_batch]
    rows = [len(labels) for _, labels in every_batch]
    assert losses[0] == pytest.approx(np.average(alone, weights=rows), rel=1e-5)


# Without TensorFlow.

# Refuses every import of TensorFlow, then trains.
PROGRAM = """
import sys

blocked = ["tensorflow", "tensorflow_text"]
sys.modules.update(dict.fromkeys(blocked))
import keras
from keras_attention.text import TokenBatches

batches = TokenBatches([[5, 6], [7], [8, 9, 4, 5]], [[8], [9, 4], [6]], num_widths=2)
inputs = {name: keras.Input((None,), name=name) for name in batches[0][0]}
outputs = keras.layers.Embedding(10, 10)(inputs["target_ids"])
model = keras.Model(inputs, outputs)
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
model.fit(batches, epochs=2, verbose=0)
assert int(model.optimizer.iterations) == 2 * len(batches) == 4
assert [sys.modules[name] for name in blocked] == [None, None]
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_training_needs_no_tensorflow(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    if keras.backend.backend() not in ("tensorflow", backend):
        pytest.skip("the run on TensorFlow looks at the other backends")
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        check=True,
    )


# Arguments.


def test_long_pairs_are_dropped_with_a_count():
    message = r"TokenBatches: dropped 1 of 2 pairs \(50\.0 %\).*max_length=3 tokens"
    with pytest.warns(UserWarning, match=message) as caught:
        build([[5, 6, 7], [8]], [[9], [4]], max_length=3)
    assert caught[0].filename == __file__


def test_unknown_tokens_are_told_with_figures():
    message = (
        r"TokenBatches: 50\.0 % of the tokens of targets are UNKNOWN \(2 of 4, in 2 "
        r"of 3 sentences\).*: see sentences 0, 2\."
    )
    with pytest.warns(UserWarning, match=message) as caught:
        build([[5], [6], [7]], [[UNKNOWN], [8, 9], [UNKNOWN]])
    assert caught[0].filename == __file__


def test_of_many_sentences_with_unknown_tokens_five_are_named():
    with pytest.warns(UserWarning, match=r"see sentences 0, 1, 2, 3, 4, \.\.\.\."):
        build([[UNKNOWN]] * 6, [[5]] * 6)


def test_unequal_numbers_of_sentences_are_both_named():
    with pytest.raises(ValueError, match="TokenBatches: got 2 sources and 1 targets"):
        build([[5], [6]], [[7]])


def test_no_sentences_are_refused():
    with pytest.raises(ValueError, match="TokenBatches: got 0 sources and 0 targets"):
        build([], [])


def test_special_tokens_among_the_ids_are_refused():
    with pytest.raises(ValueError, match="TokenBatches: got id 0 in source 1, "):
        build(np.array([[5, 6], [7, PAD]]), [[8], [9]])


def test_options_are_checked():
    with pytest.raises(ValueError, match="TokenBatches: got num_widths=0, "):
        build(num_widths=0)
