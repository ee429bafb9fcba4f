"""A plan of batches -> the batches, epoch by epoch, as `fit` asks for them."""

import copy

import keras

from keras_attention.text.buckets import BatchPlan
from keras_attention.text.passes import Passes


class PlannedBatches(keras.utils.PyDataset):
    """What all our batches share: they follow a plan, from any place in it on.

    Args:
        plan: Which rows make up which batch.

    Subclasses say how a batch is put together: `_gather`.
    """

    def __init__(self, plan: BatchPlan):
        super().__init__()
        self._plan = plan
        self._go_to(epoch=0, batch=0)

    def _gather(self, rows, shape):
        """Numbers of rows, at most (B,), and the shape (B, W) -> a batch."""
        raise NotImplementedError

    def starting_at(self, epoch: int, batch: int = 0) -> "PlannedBatches":
        """The same data from the middle of a training on.

        The first pass serves the rest of an epoch, from one of its batches on; the
        passes after it are the whole epochs that follow. Where batches are left out,
        end the first epoch of `fit` after as many steps as are left, as
        `ResumableTraining` does. Keras takes all its epochs to be as long as `len`
        says: it would warn that data ran out, and on TensorFlow the step that finds
        none still counts for the optimizer and the seeds of dropout.

        Args:
            epoch: Number of the epoch of the first pass, from 0.
            batch: Batches of it to leave out, at most all: then it is the next epoch.

        Raises:
            ValueError: there is no such epoch or batch.
        """
        if epoch < 0 or not 0 <= batch <= len(self):
            raise ValueError(
                f"{type(self).__name__}.starting_at: got epoch={epoch} and "
                f"batch={batch}, but epochs count from 0, and one has {len(self)} "
                "batches. Give the numbers of whole epochs and of batches that are "
                "done."
            )
        other = copy.copy(self)
        other._go_to(epoch + batch // len(self), batch % len(self))
        return other

    def __len__(self):
        return len(self._plan)

    def __iter__(self):
        self._passes.restart()
        for index in range(self.num_batches):
            yield self[index]
        self.on_epoch_end()

    def __getitem__(self, index: int):
        batch = self._passes.fetch()
        if batch is None:
            return self._look(index)
        return self._gather(*self._epoch.batch(batch))

    @property
    def num_batches(self):
        """What Keras asks for; `len` for everyone else."""
        return self._passes.ask_length()

    @property
    def workers(self):
        """None: several at once would take the batches of a pass out of their order."""
        return 0

    def on_epoch_begin(self):
        self._passes.begin()

    def on_epoch_end(self):
        self._passes.end()
        if self._passes.epoch != self._epoch.number:
            self._epoch = self._plan.epoch(self._passes.epoch)

    def _go_to(self, epoch, batch):
        self._passes = Passes(len(self), epoch, batch)
        self._epoch = self._plan.epoch(epoch)

    def _look(self, index):
        """One from the narrow end of the widths and one from the wide end by turns.

        Keras on TensorFlow looks at 0 and 1 before it begins, and takes an axis on
        which they agree to be of that size in all batches.
        """
        index = range(len(self))[index]
        place = -(index + 1) // 2 if index % 2 else index // 2
        return self._gather(*self._plan.in_order().batch(place))
