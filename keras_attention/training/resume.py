"""A training that was killed -> the same training, from the last step saved."""

import dataclasses
import itertools
import pathlib
import re
import sys
import warnings

import keras
import numpy as np
from keras import ops

from keras_attention.files.replaced_file import replaced_file
from keras_attention.layers.requirements import require_positive
from keras_attention.training.callback_state import (
    get_states,
    put_arrays,
    set_states,
    take_arrays,
)
from keras_attention.training.data_position import Place, data_position
from keras_attention.training.state_file import read_arrays, read_facts, write_state
from keras_attention.training.stop_signals import StopSignals


class ResumableTraining(keras.callbacks.Callback):
    """Save all that a training goes on from, and go on from it.

    Killed at any moment and started again by the same command, a training goes on from
    the last state saved and ends with the weights of one that was never killed, to the
    bit where the machine computes the same twice. At most `every` steps are done again.

    The state is the weights, the optimizer, the seeds of dropout, the place in the
    data, the running metrics of an epoch half done, the history so far, and the states
    of the other callbacks. What is drawn from other random numbers, such as NumPy's
    or Keras's global seed, is not in it, nor is the place in validation data that are
    in another order each time.

    It is one file, written aside and put in its place when it is whole: a full disk, a
    kill or weights that are not finite leave the last good one. It is written before
    the first step, then every `every` steps and after each epoch, when validation and
    the other callbacks are done; so they may run again, but are never left out. A
    state is as large as weights and optimizer: with Adam, 12 bytes a weight.

    Keras's `SwapEMAWeights(swap_on_epoch=True)` ends a training with the averages alone,
    so more epochs, asked for later, go on from these.

    Ctrl-C and SIGTERM save a state when the step at hand, or the validation, is done,
    and then work as they would have. A second one works at once.

    Args:
        path: File of the state. What is there is restored: the model when this is
            created, the rest when `fit` begins.
        model: Compiled and built `keras.Model`. The random numbers of its layers must
            come from a `keras.random.SeedGenerator`, as they do in Keras's and in our
            layers; but Keras's own Dropout, without a seed, takes torch's on torch.
        batches: The training data: a `TokenBatches`, a `tf.data.Dataset` of known
            length as `translation_dataset` makes it (on TensorFlow), or another
            `keras.utils.PyDataset` with `starting_at(epoch, batch)`: the same data,
            with batches `batch`... of an epoch first, and whole epochs after that.
        every: Most steps that a kill may cost, in batches, at least 1.
        callbacks: The other callbacks of `fit`. Those with `get_state()` and
            `set_state(state)`, and Keras's EarlyStopping, ReduceLROnPlateau and
            ModelCheckpoint, go on from where they were; `set_state` comes after
            `on_train_begin`.

    Raises:
        ValueError: The state is damaged, or of another model, data or version.
        OSError: The first state cannot be written.
        FloatingPointError: In `fit`, if weights are not finite when a state is due.

    Example:

        resume = ka.ResumableTraining("run/state", model, batches, every=200)
        model.fit(**resume.fit_arguments(), epochs=30, validation_data=valid)
    """

    def __init__(self, path, model, batches, every, callbacks=()):
        super().__init__()
        require_positive("ResumableTraining", every=every)
        require_compiled(model)
        self.path = pathlib.Path(path)
        self.every = every
        self._steps_per_call = model.steps_per_execution
        self._data = data_position(batches, self._steps_per_call)
        self._history = history_among(callbacks)
        others = [one for one in callbacks if one is not self._history]
        # Last of all, so that it sees what the others have done with an epoch.
        self._callbacks = [*others, self._history, self]
        self._signals = StopSignals()
        self.set_model(model)
        self._restore()
        if self._saved:
            print(f"ResumableTraining: goes on from {self._saved} in {self.path}.")

    def fit_arguments(self):
        """What `fit` needs to go on: the data, `initial_epoch`, `callbacks`."""
        place = self._saved or Place(length=self._data.length)
        arguments = self._data.fit_arguments(place)
        return {
            **arguments,
            # After an early stop, an epoch behind all that could be asked for.
            "initial_epoch": sys.maxsize if place.stopped else place.epoch,
            "callbacks": [*arguments["callbacks"], *self._callbacks],
        }

    def on_train_begin(self, logs=None):
        if self.model.history is not self._history:
            raise self._other_arguments("other callbacks")
        saved = self._saved
        is_end = bool(saved) and saved.epoch > 0 and saved.batch == 0
        is_swapped = is_end and swap_averages(self._callbacks)
        # A second fit starts from the file, too.
        if is_swapped or not self._is_restored:
            self._restore()
        self._is_restored = False
        self._place = self._saved or Place(length=self._data.length)
        if self._saved:
            set_states(self._callbacks, self._callback_states)
        else:
            self._write()
        self._first_batch = self._place.batch
        self._last_try = self._place.steps
        self._signals.listen()

    def on_epoch_begin(self, epoch, logs=None):
        if epoch != self._place.epoch:
            raise self._other_arguments(f"epoch {epoch} to begin with")
        if self._metrics:
            self._restore_metrics()

    def on_train_batch_begin(self, batch, logs=None):
        self._place = dataclasses.replace(self._place, batch=self._first_batch + batch)
        if not self._place.batch:  # Nothing is new since the epoch before.
            return
        since = self._place.steps - self._last_try
        is_due = since and since + self._steps_per_call > self.every
        if is_due or self._signals.received:
            self._save()
        self._stop_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        stopped = self.model.stop_training
        self._place = Place(epoch + 1, 0, self._data.length, stopped)
        self._first_batch = 0
        self._save()
        self._stop_if_asked()

    def on_train_end(self, logs=None):
        self._signals.ignore()

    def _save(self):
        """Write a state; where the disk will not take it, the last one stays."""
        self._last_try = self._place.steps
        try:
            self._write()
        except OSError as error:
            warnings.warn(
                f"ResumableTraining: could not save {self._place} ({error}). Training "
                f"goes on, and {self.path} still holds {self._saved}. Free some disk "
                f"space; the next try is in {self.every} steps at most.",
                stacklevel=2,
            )

    def _write(self):
        model = self.model
        metrics = model.metrics_variables if self._place.batch else []
        callback_arrays = []
        callback_states = take_arrays(get_states(self._callbacks), callback_arrays)
        facts = {
            "place": dataclasses.asdict(self._place),
            "next_batch": self._data.checksum(self._place),
            "variables": described(state_variables(model)),
            "metrics": described(metrics),
            "callbacks": callback_states,
        }
        arrays = itertools.chain(
            self._finite_arrays(
                [*model.trainable_variables, *model.optimizer.variables]
            ),
            map(as_array, model.non_trainable_variables),
            map(as_array, metrics),
            callback_arrays,
        )
        with replaced_file(self.path) as aside:
            write_state(aside, facts, arrays)
        self._saved = self._place

    def _finite_arrays(self, variables):
        """The values of weights and optimizer; none of them may end a good state."""
        for variable in variables:
            array = as_array(variable)
            bad = array.size - np.count_nonzero(np.isfinite(array))
            if bad:
                raise FloatingPointError(
                    f"ResumableTraining: got {bad} of {array.size} values of "
                    f"{variable.path} that are not finite, at {self._place}, but no "
                    f"training recovers from them. {self.path} still holds "
                    f"{self._saved}: lower the learning rate or set the optimizer's "
                    f"global_clipnorm, and start again."
                )
            yield array

    def _restore(self):
        """Take what the file holds, if there is one."""
        self._is_restored = True
        self._saved, self._metrics, self._callback_states = None, [], {}
        if not self.path.exists():
            return
        facts = read_facts(self.path)
        place = Place(**facts["place"])
        self._require_same_data(place, facts["next_batch"])
        variables = state_variables(self.model)
        require_same(self.path, facts["variables"], variables)
        arrays = read_arrays(self.path)
        for variable, array in zip(variables, arrays):
            variable.assign(array)
        self._metrics_described = facts["metrics"]
        self._metrics = list(itertools.islice(arrays, len(facts["metrics"])))
        self._callback_states = put_arrays(facts["callbacks"], list(arrays))
        self._saved = place

    def _restore_metrics(self):
        """Go on with the metrics of an epoch; `fit` has just set them back."""
        if len(self.model.metrics_variables) != len(self._metrics):
            build_metrics(self.model, self._data.example())
        variables = self.model.metrics_variables
        require_same(self.path, self._metrics_described, variables)
        for variable, array in zip(variables, self._metrics):
            variable.assign(array)
        self._metrics = []

    def _stop_if_asked(self):
        if self._signals.received:
            print(
                f"ResumableTraining: stops. The same command goes on from "
                f"{self._saved} in {self.path}.",
                flush=True,
            )
            self._signals.release()
            self._signals.listen()  # Whose signal it was has chosen to go on.

    def _require_same_data(self, place, next_batch):
        if place.length != self._data.length:
            raise ValueError(
                f"ResumableTraining: got {self._data.length} batches an epoch, but "
                f"{self.path} is of a training with {place.length}, and its place in "
                f"the data would be another. Give the data and settings of that "
                f"training, or another path."
            )
        checksum = self._data.checksum(place)
        if checksum != next_batch:
            raise ValueError(
                f"ResumableTraining: got data whose next batch has checksum "
                f"{checksum}, but in the training of {self.path} it has {next_batch}: "
                f"they are other data, or in another order. Give the data, settings "
                f"and seed of that training, or another path."
            )

    def _other_arguments(self, what):
        return ValueError(
            f"ResumableTraining: got {what}, but {self.path} goes on from "
            f"{self._saved or Place()}. Give fit what resume.fit_arguments() "
            f"returns, asked anew for each fit."
        )


def state_variables(model):
    """All that `fit` changes, but for the metrics: weights, optimizer, seeds."""
    return [
        *model.trainable_variables,
        *model.optimizer.variables,
        *model.non_trainable_variables,
    ]


def as_array(variable):
    """The value of a variable as a NumPy array of the same dtype."""
    return ops.convert_to_numpy(variable.value)


def described(variables):
    """Path, shape and dtype of each variable."""
    return [[one.path, list(one.shape), str(one.dtype)] for one in variables]


def require_same(path, saved, variables):
    """Raise ValueError unless a state is one of these variables.

    The numbers by which Keras tells layers of one kind apart count on from model to
    model in a process, so they are left out.
    """
    for old, new in itertools.zip_longest(saved, described(variables)):
        if without_numbers(old) != without_numbers(new):
            raise ValueError(
                f"ResumableTraining: got a model that has {new} where {path} has {old} "
                f"(name, shape, dtype), so that is the state of another model or "
                f"optimizer. Build and compile as before, or give another path."
            )


def without_numbers(description):
    """encoder_layer_3/dense/kernel -> encoder_layer/dense/kernel"""
    if description is None:
        return None
    name, shape, dtype = description
    return re.sub(r"_\d+", "", name), shape, dtype


def swap_averages(callbacks):
    """Tell Keras's SwapEMAWeights that the averages are in the model.

    After an epoch it may swap weights and averages, and the next epoch swaps them back;
    but a new one does not know of it. It learns by swapping.

    Returns:
        Whether it did, so that the weights must be restored once more.
    """
    kind = keras.callbacks.SwapEMAWeights
    swapping = [one for one in callbacks if isinstance(one, kind) and one.swap_on_epoch]
    for callback in swapping:
        callback.on_epoch_end(-1)  # Of no epoch: in the last one it would do more.
    return bool(swapping)


def build_metrics(model, batch):
    """Make the variables of loss and metrics, which Keras makes in the first step."""
    row = keras.tree.map_structure(lambda x: ops.convert_to_tensor(x[:1]), batch)
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(row)
    y_pred = model(x, training=False)
    model.compute_loss(x, y, y_pred, sample_weight, training=False)
    model.compute_metrics(x, y, y_pred, sample_weight)


def history_among(callbacks):
    """The history that `fit` is to keep: the one given, or a new one."""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.History):
            return callback
    return keras.callbacks.History()


def require_compiled(model):
    """Raise ValueError unless the model is ready to be trained; build its optimizer."""
    if not model.built:
        raise ValueError(
            f"ResumableTraining: got the model {model.name!r} that is not built, but "
            f"weights must be there to be restored. Call it on a batch first."
        )
    if not model.compiled:
        raise ValueError(
            f"ResumableTraining: got the model {model.name!r} that is not compiled, "
            f"but its optimizer has a state, too. Call model.compile first."
        )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
