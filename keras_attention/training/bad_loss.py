"""A loss that is not finite -> an error that says when, and the likely cause."""

import collections
import math
import warnings

import keras
from keras import ops

from keras_attention.training.likely_cause import (
    Evidence,
    first_bad_variable,
    likely_cause,
)

# Steps whose losses are kept, to see whether they had grown.
KEPT_STEPS = 50


class StopOnBadLoss(keras.callbacks.Callback):
    """Stop training with an error when the loss is NaN or infinite.

    The error tells the step, the losses before it and the learning rate, and what most
    likely went wrong: ids outside of the vocabulary, a batch with nothing to predict,
    the range of float16, losses that had grown, a high learning rate, or the loss
    itself. Weights that are not finite at the start of an epoch are an error too, and
    so is an epoch without any batch. A loss that is exactly 0 gives a warning, as does
    a validation loss that is not finite.

    It looks at the loss that `fit` logs, the mean over the epoch so far, when the next
    step begins. On JAX, where steps may run ahead of their losses, that may be some
    steps later; the error tells the step that was bad. The losses of single steps are
    worked out from that mean as if all batches had the same number of rows, by which
    Keras weighs them: where they differ, these losses are about right.

    Args:
        batches: The training data, which are looked through for the cause when the loss
            is bad; without them, a cause that lies in the data goes unseen.

    Raises:
        FloatingPointError: In `fit`: the loss or a weight is not finite.
        ValueError: In `fit`: an epoch had no batch.

    Example:

    >>> ids = {"source_ids": source_ids, "target_ids": source_ids}
    >>> model.compile("adam", MaskedCrossentropy())
    >>> history = model.fit(ids, source_ids, callbacks=[StopOnBadLoss()], verbose=0)
    >>> history.epoch
    (0,)
    """

    # Keras on JAX calls `on_train_batch_end` in another thread where this is set, so
    # that no step waits for the loss of the one before.
    async_safe = True

    def __init__(self, batches=()):
        super().__init__()
        self.batches = batches
        self._losses = collections.deque(maxlen=KEPT_STEPS)
        self._new_means = collections.deque()
        self._warned_of_zero = False

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch + 1
        self._steps_before = steps_done(self.model.optimizer)
        self._steps, self._mean = 0, 0.0
        self._is_empty = True
        bad = first_bad_variable(self.model.variables)
        if bad is not None:
            raise FloatingPointError(
                f"StopOnBadLoss: got weights {bad.path} that are not finite at the "
                f"start of epoch {self._epoch}, but no training recovers from them. "
                f"Start from other weights: these come from a bad file, or were "
                f"spoiled by a callback or by the last step."
            )

    def on_train_batch_end(self, batch, logs=None):
        self._is_empty = False
        if logs and "loss" in logs:
            self._new_means.append((batch + 1, logs["loss"]))

    def on_train_batch_begin(self, batch, logs=None):
        self._look()

    def on_test_begin(self, logs=None):
        self._look()

    def on_epoch_end(self, epoch, logs=None):
        self._look()
        if self._is_empty:
            raise ValueError(
                f"StopOnBadLoss: got no batch in epoch {self._epoch}, but there must "
                f"be some to learn from. See what the data were made of, and what was "
                f"dropped as too long."
            )
        val_loss = (logs or {}).get("val_loss", 0.0)
        if not math.isfinite(val_loss):
            warnings.warn(
                f"StopOnBadLoss: the validation loss is {val_loss} after epoch "
                f"{self._epoch}, though the training loss is finite. Look for ids "
                f"outside of the vocabulary in the validation data.",
                stacklevel=2,
            )

    def _look(self):
        """Judge the means that came in since the last time."""
        new = [self._new_means.popleft() for _ in range(len(self._new_means))]
        for steps, mean in sorted(new):
            if not math.isfinite(mean):
                raise self._bad_loss(steps, mean)
            if mean == 0 and not self._warned_of_zero:
                self._warn_of_zero(steps)
            # What the steps since the last mean must have had, to move it so far.
            moved = steps * mean - self._steps * self._mean
            self._losses.append(moved / (steps - self._steps))
            self._steps, self._mean = steps, mean

    def _bad_loss(self, steps, mean):
        model = self.model
        losses = list(self._losses)
        rate = float(ops.convert_to_numpy(model.optimizer.learning_rate))
        last = f"about {losses[-1]:.4g}" if losses else "none"
        lowest = f"{min(losses):.4g}" if losses else "none"
        cause = likely_cause(Evidence(model, losses, rate, self.batches))
        return FloatingPointError(
            f"StopOnBadLoss: got loss={mean} at step {self._steps_before + steps}, in "
            f"epoch {self._epoch} (last finite loss {last}, lowest of the last "
            f"{len(losses)} steps {lowest}, learning rate {rate:.3g}), but no training "
            f"recovers from that. {cause}"
        )

    def _warn_of_zero(self, steps):
        self._warned_of_zero = True
        warnings.warn(
            f"StopOnBadLoss: the loss is exactly 0 at step "
            f"{self._steps_before + steps}, in epoch {self._epoch}: there was nothing "
            f"to predict but padding, or nothing is left to learn. Look at the labels.",
            stacklevel=2,
        )


def steps_done(optimizer):
    """Batches that an optimizer has seen, several of which may make one update."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    batches = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    return int(ops.convert_to_numpy(optimizer.iterations)) * batches
