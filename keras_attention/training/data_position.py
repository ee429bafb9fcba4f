"""Data and a place in a training -> what `fit` needs to go on from there."""

import contextlib
import dataclasses
import warnings
import zlib

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Place:
    """How far a training is.

    Attributes:
        epoch: Epochs that are done, with their validation and callbacks.
        batch: Batches of the next one that are done, below `length`.
        length: Batches of an epoch.
        stopped: Whether a callback ended the training at this place.
    """

    epoch: int = 0
    batch: int = 0
    length: int = 0
    stopped: bool = False

    @property
    def steps(self):
        """Batches trained on since the start."""
        return self.epoch * self.length + self.batch

    def __str__(self):
        if self.stopped:
            return f"the end of epoch {self.epoch}, where a callback stopped"
        if self.batch:
            return f"epoch {self.epoch + 1}, batch {self.batch} of {self.length}"
        return f"the end of epoch {self.epoch}" if self.epoch else "the start"


class BatchesPosition:
    """Places in data that offer `starting_at(epoch, batch)`, such as `TokenBatches`."""

    def __init__(self, batches):
        self.batches = batches
        self.length = len(batches)

    def fit_arguments(self, place):
        """`x`, and `callbacks` to be put before all others."""
        ending = [ShortFirstPass(self.length - place.batch)] if place.batch else []
        data = self.batches.starting_at(place.epoch, place.batch)
        return {"x": data, "callbacks": ending}

    def checksum(self, place):
        """A number for the batch that comes next: for the data and their order."""
        batch = next(iter(self.batches.starting_at(place.epoch, place.batch)))
        number = 0
        for array in keras.tree.flatten(batch):
            array = np.ascontiguousarray(array)
            number = zlib.crc32(f"{array.dtype}{array.shape}".encode(), number)
            number = zlib.crc32(array, number)
        return number

    def example(self):
        """One batch, for its shapes and dtypes."""
        return self.batches[0]


class DatasetPosition:
    """Places in a `tf.data.Dataset` of which each iterator is one epoch.

    The iterators count from the first one made of a dataset, so a place is found again
    only by going through all before it, at the speed of the data alone.
    """

    def __init__(self, dataset, steps_per_execution):
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                f"ResumableTraining: got a tf.data.Dataset on the backend "
                f"{keras.backend.backend()!r}, but Keras begins an epoch of it there "
                f"to see its shapes, and the place is lost. Use a TokenBatches."
            )
        self.dataset = dataset
        self.length = int(dataset.cardinality())
        if self.length < 0:
            kind = {-1: "infinite", -2: "unknown"}[self.length]
            raise ValueError(
                f"ResumableTraining: got a tf.data.Dataset of {kind} length, but must "
                f"know the batches of an epoch. Leave repeat() out, or tell the length "
                f"by tf.data.experimental.assert_cardinality."
            )
        if self.length % steps_per_execution:
            raise ValueError(
                f"ResumableTraining: got a tf.data.Dataset of {self.length} batches "
                f"and steps_per_execution={steps_per_execution}, but an execution may "
                f"not go on into the next epoch. Compile with a number that divides "
                f"{self.length}, or use a TokenBatches."
            )

    def fit_arguments(self, place):
        """`x`, how to go through it, and `callbacks` to be put before all others."""
        ending = [ShortFirstEpoch(self.length - place.batch)] if place.batch else []
        return {
            "x": self.dataset.repeat().skip(place.steps),
            "steps_per_epoch": self.length,
            "shuffle": False,  # Keras has no part in the order, and warns otherwise.
            "callbacks": ending,
        }

    def checksum(self, place):
        """None: to look at a batch would begin an epoch."""

    def example(self):
        """A batch of zeros: to take one from the dataset would begin an epoch."""
        return keras.tree.map_structure(
            lambda spec: np.zeros(
                [size or 1 for size in spec.shape], spec.dtype.as_numpy_dtype
            ),
            self.dataset.element_spec,
        )


def data_position(batches, steps_per_execution):
    """Tell what kind of places these data have.

    Raises:
        TypeError: They have none.
        ValueError: There is no batch, or this backend cannot keep its place in them.
    """
    if hasattr(batches, "starting_at"):
        position = BatchesPosition(batches)
    elif hasattr(batches, "element_spec"):
        position = DatasetPosition(batches, steps_per_execution)
    else:
        raise TypeError(
            f"ResumableTraining: got batches of type {type(batches).__name__}, but "
            f"needs data that can start in the middle of an epoch. Give a "
            f"TokenBatches, a tf.data.Dataset, or a keras.utils.PyDataset with a "
            f"method starting_at(epoch, batch)."
        )
    if position.length < 1:
        raise ValueError(
            f"ResumableTraining: got data of {position.length} batches, but there must "
            f"be some to learn from. See what they were made of, and what was dropped."
        )
    return position


class ShortFirstPass(keras.callbacks.Callback):
    """End the first epoch of `fit` where a shorter first pass over the data ends.

    Otherwise Keras 3.15 begins one more step to find that there are no data left, and
    on TensorFlow that step counts in the optimizer and draws from the seeds.
    """

    def __init__(self, steps):
        super().__init__()
        self.steps = steps
        self._quiet = contextlib.ExitStack()

    def on_epoch_begin(self, epoch, logs=None):
        if self.steps:
            self._quiet.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "Your input ran out of data")

    def on_train_batch_begin(self, batch, logs=None):
        if self.steps and batch >= self.steps:
            raise StopIteration  # Which Keras takes for the end of the data.

    def on_epoch_end(self, epoch, logs=None):
        self._quiet.close()
        self.steps = None


class ShortFirstEpoch(keras.callbacks.Callback):
    """End the first epoch of `fit` early; the next goes on with the same iterator."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        if self.steps and batch + 1 >= self.steps:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if self.steps:
            self.model.stop_training = False
            self.steps = None
