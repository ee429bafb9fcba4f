"""The calls that Keras makes to a dataset -> which batch of which epoch it is at."""


class Passes:
    """Follow the passes over a dataset by what Keras asks of it.

    Keras tells a `PyDataset` neither the epoch nor what a batch is for. To prepare,
    `fit` and `evaluate` ask for the number of batches, may look at some, even inside
    of an `on_epoch_begin`, and call `on_epoch_end`. Only then do the passes come that
    train: `on_epoch_begin`, the number of batches once more, each batch,
    `on_epoch_end`. So:

    * who asks for the number outside of a pass, or in the middle of one, prepares
      until the next `on_epoch_end`: it sees the length of a whole epoch, and what it
      fetches is no part of a pass;
    * who asks for it at the start of a pass is told how much of the epoch is left;
    * a pass is over when its last batch has been fetched and `on_epoch_end` comes: the
      next one is the whole next epoch. One that was broken off begins anew.

    Args:
        num_batches: In a whole epoch.
        epoch: Number of the first epoch, from 0.
        first: Number of the first batch in it; later passes start from 0.

    Attributes:
        epoch: Number of the epoch of the pass that runs or comes next.
    """

    def __init__(self, num_batches: int, epoch: int = 0, first: int = 0):
        self._num_batches = num_batches
        self.epoch = epoch
        self._first = first
        # Batches of the pass that have been fetched; None where no pass runs.
        self._fetched = None
        self._preparing = False

    @property
    def _left(self):
        return self._num_batches - self._first

    def ask_length(self) -> int:
        """Answer Keras's question for the number of batches."""
        if self._fetched == 0:
            return self._left
        if self._fetched != self._left:
            self._preparing, self._fetched = True, None
        return self._num_batches

    def begin(self):
        """A pass begins, or goes on after `steps_per_epoch` batches of it."""
        if not self._preparing and self._fetched is None:
            self._fetched = 0

    def fetch(self) -> int | None:
        """Number in the epoch of the batch to serve next; None to one that looks."""
        if self._fetched is None or self._fetched == self._left:
            return None
        self._fetched += 1
        return self._first + self._fetched - 1

    def end(self):
        """`on_epoch_end`: of the preparation, of a whole pass, or of a part of it."""
        if self._fetched == self._left:
            self.epoch, self._first, self._fetched = self.epoch + 1, 0, None
        self._preparing = False

    def restart(self):
        """Begin the pass from its start, whatever came before."""
        self._preparing, self._fetched = False, 0
