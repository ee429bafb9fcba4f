"""Weights at the end of an epoch -> files, of which the last or the best are kept."""

import dataclasses
import math
import pathlib
import re
import urllib.parse

import keras

from keras_attention.files.replaced_file import replaced_file
from keras_attention.layers.requirements import require_positive

MODES = ("min", "max")
FILE_NAME = re.compile(r"(\d{4,})-epoch-(\d+)(?:-(.+)=(.+))?\.weights\.h5")


class Checkpoints(keras.callbacks.Callback):
    """Save the weights at the end of epochs, and keep the last or the best of them.

    Each file holds `model.save_weights`, and is in its place only when it is whole: a
    training that is killed leaves good files. Their names are all the record there is,
    such as `0012-epoch-12-val_bleu=31.25.weights.h5` for what was saved as the twelfth
    after the twelfth epoch, counted from 1. So a training that goes on with the same
    folder goes on with what is there, and an epoch that is done again takes the place
    of the one before. Start another training in another folder: in the same one its
    checkpoints and the old ones count together.

    Args:
        folder: Where the files are to be; made when there is something to save.
            Files of other names in it are left alone.
        keep: How many files are kept.
        monitor: The log by which the best are kept, such as "val_bleu"; None for the
            last ones. A figure that is not finite is no good one: what was reached
            with it is not saved.
        mode: "min" if a lower figure is better, "max" if a higher one is.
        every: Epochs from one look to the next, as `validation_freq` of `fit`.

    Raises:
        ValueError: If `keep` or `every` is below 1, or `mode` another; at the end of
            an epoch if its logs do not have `monitor`. What puts it there, such as
            `BleuCallback`, must come before this in the list of callbacks.

    Example:

        checkpoints = Checkpoints("checkpoints", keep=10)
        model.fit(batches, epochs=30, callbacks=[checkpoints])
        model.load_weights(average_checkpoints(checkpoints.paths, "mean.weights.h5"))
    """

    def __init__(self, folder, keep=10, monitor=None, mode="min", every=1):
        super().__init__()
        require_positive("Checkpoints", keep=keep, every=every)
        require_mode(mode)
        self.folder = pathlib.Path(folder)
        self.keep = keep
        self.monitor = monitor
        self.mode = mode
        self.every = every

    @property
    def paths(self):
        """Paths of the files that are kept: the oldest first, or the best first."""
        return [self.folder / one.name for one in self._kept(self._found())]

    def on_epoch_end(self, epoch, logs=None):
        epoch += 1
        if epoch % self.every:
            return
        figure = None if self.monitor is None else self._figure(logs or {})
        if figure is not None and not math.isfinite(figure):
            return
        found = self._found()
        number = 1 + max((one.number for one in found), default=0)
        new = Checkpoint(number, epoch, self.monitor, figure)
        others = [one for one in found if one.epoch != epoch]
        kept = self._kept([*others, new])
        if new in kept:
            with replaced_file(self.folder / new.name) as aside:
                self.model.save_weights(aside)
        for one in found:
            if one not in kept:
                (self.folder / one.name).unlink(missing_ok=True)

    def _figure(self, logs):
        """What is monitored; raise ValueError if the logs do not have it."""
        if self.monitor not in logs:
            raise ValueError(
                f"Checkpoints: got monitor={self.monitor!r}, but the logs of the epoch "
                f"are {', '.join(logs) or 'none'}. Name one of them, or put the "
                f"callback that adds it before this one, with the same `every`."
            )
        return float(logs[self.monitor])

    def _found(self):
        """What is in the folder and was saved by the same monitor."""
        if not self.folder.is_dir():
            return []
        found = [Checkpoint.of(path.name) for path in self.folder.iterdir()]
        return [one for one in found if one and one.monitor == self.monitor]

    def _kept(self, checkpoints):
        """The last `keep`, oldest first, or the best, best first; one of each epoch."""
        by_age = sorted(checkpoints, key=lambda one: one.number)
        last_of_epochs = {one.epoch: one for one in by_age}.values()
        if self.monitor is None:
            return sorted(last_of_epochs, key=lambda one: one.number)[-self.keep :]
        sign = 1 if self.mode == "min" else -1
        ranked = sorted(last_of_epochs, key=lambda one: (sign * one.figure, one.epoch))
        return ranked[: self.keep]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What the name of a file says.

    Attributes:
        number: How many had been saved in the folder, itself included, at least.
        epoch: After which epoch, counted from 1.
        monitor, figure: What was monitored, and what it was then; or None.
    """

    number: int
    epoch: int
    monitor: str | None
    figure: float | None

    @property
    def name(self):
        figure = ""
        if self.monitor is not None:
            figure = f"-{urllib.parse.quote(self.monitor, safe='')}={self.figure!r}"
        return f"{self.number:04d}-epoch-{self.epoch}{figure}.weights.h5"

    @classmethod
    def of(cls, name):
        """Read a name; None for one of another kind."""
        match = FILE_NAME.fullmatch(name)
        if not match:
            return None
        number, epoch, monitor, figure = match.groups()
        if monitor is not None:
            try:
                monitor, figure = urllib.parse.unquote(monitor), float(figure)
            except ValueError:
                return None
        return cls(int(number), int(epoch), monitor, figure)


def require_mode(mode):
    """Raise ValueError unless a lower or a higher figure is better."""
    if mode not in MODES:
        raise ValueError(
            f"Checkpoints: got mode={mode!r}, but either a lower figure is better or a "
            f"higher one. Use 'min' or 'max'."
        )
