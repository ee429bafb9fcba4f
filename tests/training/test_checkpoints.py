"""Which weights are kept after which epoch, over restarts and sudden ends."""

import math
import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

import keras_attention
from keras_attention.training.averaging import average_checkpoints
from keras_attention.training.checkpoints import Checkpoints

X, Y = np.ones((2, 3), "float32"), np.ones((2, 1), "float32")


class Figures(keras.callbacks.Callback):
    """Put given figures into the logs, one for each epoch."""

    def __init__(self, *figures, name="figure"):
        super().__init__()
        self.figures = figures
        self.name = name

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.figures[epoch]


def small_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    return model


class WeightsOfEpochs(keras.callbacks.Callback):
    """Remember the kernel at the end of each epoch, counted from 1."""

    def __init__(self):
        super().__init__()
        self.kernels = {}

    def on_epoch_end(self, epoch, logs=None):
        self.kernels[epoch + 1] = kernel(self.model)


def kernel(model):
    return keras.ops.convert_to_numpy(model.weights[0])


def train(callbacks, epochs, first=1, model=None):
    """Train from the epoch `first` to `epochs`; return the kernels of the epochs."""
    weights = WeightsOfEpochs()
    model = model or small_model()
    model.fit(
        X,
        Y,
        epochs=epochs,
        initial_epoch=first - 1,
        callbacks=[*callbacks, weights],
        verbose=0,
    )
    return weights.kernels


def epochs_of(checkpoints):
    return [int(path.name.split("-")[2].split(".")[0]) for path in checkpoints.paths]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_last_are_kept_the_oldest_first(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new" / "folder", keep=3)
    assert checkpoints.paths == []
    kernels = train([checkpoints], epochs=5)
    assert [path.name for path in checkpoints.paths] == [
        "0003-epoch-3.weights.h5",
        "0004-epoch-4.weights.h5",
        "0005-epoch-5.weights.h5",
    ]
    assert names(checkpoints.folder) == [path.name for path in checkpoints.paths]
    for epoch, path in zip((3, 4, 5), checkpoints.paths):
        model = small_model()
        model.load_weights(path)
        np.testing.assert_array_equal(kernel(model), kernels[epoch])
    assert not np.array_equal(kernels[4], kernels[5])


def test_their_mean_is_that_of_their_epochs(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=2)
    model = small_model()
    kernels = train([checkpoints], epochs=4, model=model)
    model.load_weights(
        average_checkpoints(checkpoints.paths, tmp_path / "mean.weights.h5")
    )
    expected = (kernels[3].astype("float64") + kernels[4]) / 2
    np.testing.assert_array_equal(kernel(model), expected.astype("float32"))


@pytest.mark.parametrize(
    "mode, figures, epochs, best",
    [
        ("min", (5.0, 3.0, 4.0, 1.5, 2.0), [4, 5], "0004-epoch-4-figure=1.5"),
        ("max", (5.0, 3.0, 4.0, 1.5, 2.0), [1, 3], "0001-epoch-1-figure=5.0"),
        ("max", (-1e-7, 1e22, 0.1 + 0.2), [2, 3], "0002-epoch-2-figure=1e+22"),
        ("min", (2.0, 1.0, 1.0, 2.0, 1.0), [2, 3], "0002-epoch-2-figure=1.0"),
    ],
    ids=["min", "max", "any size", "ties go to the first"],
)
def test_the_best_are_kept_the_best_first(tmp_path, mode, figures, epochs, best):
    checkpoints = Checkpoints(tmp_path, keep=2, monitor="figure", mode=mode)
    kernels = train([Figures(*figures), checkpoints], epochs=len(figures))
    assert epochs_of(checkpoints) == epochs
    assert len(names(tmp_path)) == 2
    assert checkpoints.paths[0].name == f"{best}.weights.h5"
    model = small_model()
    model.load_weights(checkpoints.paths[0])
    np.testing.assert_array_equal(kernel(model), kernels[epochs[0]])


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_figure_that_is_not_finite_is_never_among_the_best(tmp_path, mode):
    figures = Figures(math.nan, 2.0, math.inf, -math.inf, 1.0, math.nan)
    checkpoints = Checkpoints(tmp_path, keep=4, monitor="figure", mode=mode)
    train([figures, checkpoints], epochs=6)
    assert sorted(epochs_of(checkpoints)) == [2, 5]
    assert len(names(tmp_path)) == 2


def test_a_log_of_keras_is_monitored(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1, monitor="val_loss")
    model = small_model()
    history = model.fit(
        X, Y, validation_data=(X, Y), epochs=3, callbacks=[checkpoints], verbose=0
    )
    losses = history.history["val_loss"]
    assert epochs_of(checkpoints) == [1 + losses.index(min(losses))]
    assert checkpoints.paths[0].name.endswith(f"-val_loss={min(losses)!r}.weights.h5")


@pytest.mark.parametrize("monitor", [None, "figure"])
def test_only_every_so_many_epochs_are_saved(tmp_path, monitor):
    checkpoints = Checkpoints(tmp_path, monitor=monitor, every=3)

    class Sometimes(Figures):
        def on_epoch_end(self, epoch, logs=None):
            if epoch % 3 == 2:
                super().on_epoch_end(epoch, logs)

    train([Sometimes(*range(7)), checkpoints], epochs=7)
    assert epochs_of(checkpoints) == [3, 6]


def test_the_last_go_on_with_what_is_there(tmp_path):
    train([Checkpoints(tmp_path, keep=3)], epochs=4)
    again = Checkpoints(tmp_path, keep=3)
    assert epochs_of(again) == [2, 3, 4]
    train([again], epochs=6, first=5)
    assert epochs_of(again) == [4, 5, 6]
    assert len(names(tmp_path)) == 3


def test_the_best_go_on_with_what_is_there(tmp_path):
    figures = Figures(0.1 + 0.2, 2.0, 1 / 3, 1.0, 0.3)
    options = {"keep": 2, "monitor": "figure"}
    train([figures, Checkpoints(tmp_path / "one", **options)], epochs=5)
    train([figures, Checkpoints(tmp_path / "two", **options)], epochs=3)
    train([figures, Checkpoints(tmp_path / "two", **options)], epochs=5, first=4)
    assert epochs_of(Checkpoints(tmp_path / "two", **options)) == [5, 1]
    # Equal but for how many files had been there when one was saved.
    endings = [
        [name.partition("-")[2] for name in names(tmp_path / folder)]
        for folder in ("one", "two")
    ]
    assert sorted(endings[0]) == sorted(endings[1])


@pytest.mark.parametrize("monitor", [None, "figure"])
def test_an_epoch_that_is_done_again_takes_the_place_of_the_one_before(
    tmp_path, monitor
):
    checkpoints = Checkpoints(tmp_path, keep=5, monitor=monitor)
    train([Figures(4.0, 3.0, 2.0, 1.0), checkpoints], epochs=4)
    kernels = train([Figures(0, 0, 9.0, 8.0), checkpoints], epochs=4, first=3)
    assert len(names(tmp_path)) == 4
    place = {None: 2, "figure": 3}[monitor]
    assert (
        epochs_of(checkpoints) == {None: [1, 2, 3, 4], "figure": [2, 1, 4, 3]}[monitor]
    )
    model = small_model()
    model.load_weights(checkpoints.paths[place])
    np.testing.assert_array_equal(kernel(model), kernels[3])


def test_a_training_that_starts_anew_pushes_out_the_old_one(tmp_path):
    train([Checkpoints(tmp_path, keep=3)], epochs=9)
    checkpoints = Checkpoints(tmp_path, keep=3)
    train([checkpoints], epochs=2)
    assert epochs_of(checkpoints) == [9, 1, 2]
    train([checkpoints], epochs=3, first=3)
    assert epochs_of(checkpoints) == [1, 2, 3]


def test_fewer_are_kept_of_what_is_there_if_fewer_are_wanted(tmp_path):
    train([Checkpoints(tmp_path, keep=5)], epochs=5)
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert epochs_of(checkpoints) == [4, 5]
    train([checkpoints], epochs=6, first=6)
    assert epochs_of(checkpoints) == [5, 6]
    assert len(names(tmp_path)) == 2


def test_the_last_and_the_best_by_several_figures_share_a_folder(tmp_path):
    last = Checkpoints(tmp_path, keep=2)
    best = Checkpoints(tmp_path, keep=1, monitor="figure", mode="max")
    odd = Checkpoints(tmp_path, keep=1, monitor="a/b=c-d", mode="max")
    figures = Figures(9.0, 1.0, 2.0), Figures(1.0, 5.0, 2.0, name="a/b=c-d")
    train([*figures, last, best, odd], epochs=3)
    assert [epochs_of(one) for one in (last, best)] == [[2, 3], [1]]
    (path,) = odd.paths
    assert path.name == "0002-epoch-2-a%2Fb%3Dc-d=5.0.weights.h5"
    assert len(names(tmp_path)) == 4


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    others = [
        "best.weights.h5",
        "12-epoch-1.weights.h5",
        "0001-epoch-1-figure=.weights.h5",
        "0001-epoch-1-figure=high.weights.h5",
        "0009-epoch-9.weights.h5.old",
    ]
    for name in others:
        (tmp_path / name).write_text(name)
    for monitor in (None, "figure"):
        checkpoints = Checkpoints(tmp_path, keep=1, monitor=monitor)
        train([Figures(1.0, 2.0), checkpoints], epochs=2)
        assert len(checkpoints.paths) == 1
    assert set(others) < set(names(tmp_path)) and len(names(tmp_path)) == 7
    for name in others:
        assert (tmp_path / name).read_text() == name


KILLED = """
    import os, pathlib, signal, sys
    import keras, numpy as np
    from keras_attention.training.checkpoints import Checkpoints

    class Killed(keras.Sequential):
        def save_weights(self, path):
            super().save_weights(path)
            if "epoch-3" in str(path):
                whole = pathlib.Path(path).read_bytes()
                pathlib.Path(path).write_bytes(whole[: len(whole) // 2])
                os.kill(os.getpid(), signal.SIGKILL)

    model = Killed([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    x, y = np.ones((2, 3)), np.ones((2, 1))
    checkpoints = Checkpoints(sys.argv[1], keep=2)
    model.fit(x, y, epochs=5, callbacks=[checkpoints], verbose=0)
"""


def test_a_training_that_is_killed_while_it_saves_goes_on_with_whole_files(tmp_path):
    root = pathlib.Path(keras_attention.__file__).parents[1]
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.returncode == -signal.SIGKILL
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert epochs_of(checkpoints) == [1, 2]
    for path in checkpoints.paths:
        small_model().load_weights(path)
    train([checkpoints], epochs=3, first=3)
    assert epochs_of(checkpoints) == [2, 3]
    assert names(tmp_path) == [path.name for path in checkpoints.paths]


def test_a_save_that_fails_leaves_the_ones_before(tmp_path):
    class Full(keras.Sequential):
        def save_weights(self, path):
            super().save_weights(path)
            if "epoch-3" in str(path):
                raise OSError("disk full")

    model = Full([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    checkpoints = Checkpoints(tmp_path, keep=2)
    with pytest.raises(OSError, match="disk full"):
        train([checkpoints], epochs=5, model=model)
    assert epochs_of(checkpoints) == [1, 2]
    assert len(names(tmp_path)) == 2


def test_a_log_that_is_not_there_is_named_with_those_that_are(tmp_path):
    checkpoints = Checkpoints(tmp_path, monitor="val_bleu", mode="max")
    message = "Checkpoints: got monitor='val_bleu', but the logs .* are loss, figure.*"
    with pytest.raises(ValueError, match=message + "before this one"):
        train([Figures(1.0), checkpoints, Figures(2.0, name="val_bleu")], epochs=1)
    with pytest.raises(ValueError, match="the logs of the epoch are none"):
        checkpoints.on_epoch_end(0)
    assert not names(tmp_path)


@pytest.mark.parametrize("name", ["keep", "every"])
@pytest.mark.parametrize("value, error", [(0, ValueError), (1.5, TypeError)])
def test_what_counts_nothing_is_refused(tmp_path, name, value, error):
    with pytest.raises(error, match=f"Checkpoints: got {name}={value}"):
        Checkpoints(tmp_path, **{name: value})


def test_an_unknown_mode_is_refused(tmp_path):
    message = "Checkpoints: got mode='best', but .*Use 'min' or 'max'"
    with pytest.raises(ValueError, match=message):
        Checkpoints(tmp_path, monitor="loss", mode="best")
