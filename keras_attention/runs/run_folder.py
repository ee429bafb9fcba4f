"""What is where in the folder of a training, and whose folder it is."""

import dataclasses
import pathlib

from keras_attention.files.replaced_file import replaced_file
from keras_attention.runs.settings import TrainingSettings
from keras_attention.runs.settings_file import read_settings, write_settings
from keras_attention.training.averaging import average_checkpoints
from keras_attention.training.checkpoints import Checkpoints

SETTINGS = "settings.toml"
STATE = "state"
CHECKPOINTS = "checkpoints"
MEAN = "mean.weights.h5"
BEST = "best.weights.h5"
LOG = "log.csv"
EVALUATION = "evaluation.json"

# What a training that goes on may be told anew: none of it changes what was done.
FREE = ("epochs", "save_every", "beam_size", "length_penalty")

FIELDS = dataclasses.fields(TrainingSettings)


def saved_settings(folder):
    """The settings of the training in a folder, or None if there is none."""
    path = pathlib.Path(folder) / SETTINGS
    return TrainingSettings(**read_settings(path, FIELDS)) if path.exists() else None


def claim(folder, settings):
    """Make a folder that of a training, or find that it is already.

    Args:
        folder: New, empty, or of a training with these settings.
        settings: `TrainingSettings`, none of them left open that has to be chosen.

    Returns:
        The folder, as a `pathlib.Path`.

    Raises:
        FileExistsError: It is a file, holds other things, or another training.
    """
    folder = pathlib.Path(folder)
    require_own(folder, settings)
    if settings != saved_settings(folder):
        with replaced_file(folder / SETTINGS) as aside:
            write_settings(aside, settings, FIELDS)
    return folder


def require_own(folder, settings):
    """Raise FileExistsError unless a folder is free, or of a training like this."""
    folder = pathlib.Path(folder)
    require_free(folder)
    saved = saved_settings(folder)
    if saved is not None:
        require_same_training(folder, settings, saved)


def checkpoints_of(folder, settings, number=None):
    """The callback that keeps the weights of epochs, as the settings want it."""
    best = settings.keep == "best"
    return Checkpoints(
        folder / CHECKPOINTS,
        keep=number or settings.averaged,
        monitor="val_bleu" if best else None,
        mode="max" if best else "min",
        every=settings.bleu_every if best else 1,
    )


def mean_of(folder, settings, number=None):
    """Average the weights that a training has kept.

    Args:
        folder: Of the training.
        settings: Of the training.
        number: Of how many epochs, the last or the best; None for all that are kept.

    Returns:
        The path of a `.weights.h5` file.

    Raises:
        FileNotFoundError: No epoch is done yet.
        ValueError: Fewer are kept.
    """
    kept = checkpoints_of(folder, settings, number).paths
    if not kept:
        raise FileNotFoundError(
            f"mean_of: got the training in {folder}, but there are no weights in its "
            f"{CHECKPOINTS}, as no epoch is done. Train for an epoch first."
        )
    if number is not None and len(kept) < number:
        raise ValueError(
            f"mean_of: got number={number}, but only {len(kept)} epochs' weights are "
            f"in {folder / CHECKPOINTS}. Average as many at most, or train with a "
            f"larger `averaged`."
        )
    return average_checkpoints(kept, folder / MEAN)


def require_free(folder):
    """Raise FileExistsError unless a folder is new, empty, or a training's."""
    if folder.is_file():
        raise FileExistsError(
            f"train_translator: got {folder}, but that is a file, and a folder is to "
            f"be written. Give the path of a new folder."
        )
    if not folder.is_dir() or (folder / SETTINGS).exists():
        return
    # What a process left that died while it wrote the settings is no other thing.
    others = [path for path in folder.iterdir() if path.suffix != ".partial"]
    if others:
        raise FileExistsError(
            f"train_translator: got the folder {folder}, but it holds other things "
            f"({others[0].name}) and no {SETTINGS}. Give a new or empty folder, or one "
            f"of a training to go on with."
        )


def require_same_training(folder, settings, saved):
    """Raise FileExistsError if settings are others than those of a folder."""
    for field in FIELDS:
        old, new = getattr(saved, field.name), getattr(settings, field.name)
        if old != new and field.name not in FREE:
            raise FileExistsError(
                f"train_translator: got {field.name}={new!r}, but the training in "
                f"{folder} has {old!r}, and goes on with that alone. Leave it as it "
                f"was, or give another folder."
            )
