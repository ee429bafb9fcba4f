"""Training that has gone wrong stops, and says when and why."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.training.bad_loss import StopOnBadLoss

NAN, INF = float("nan"), float("inf")


def mean_label(y_true, y_pred):
    """The labels are the losses, and the weights get no gradient but 0 or NaN."""
    return ops.mean(y_true + 0 * y_pred, axis=-1)


class EachStep(keras.callbacks.Callback):
    """A callback for which Keras on JAX waits for the loss of each step."""

    def on_train_batch_end(self, batch, logs=None):
        pass


class Spoil(keras.callbacks.Callback):
    """Makes the weights NaN after so many updates."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.after:
            self.model.trainable_variables[0].assign([[NAN]])


def model(**settings):
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, name="dense")(inputs))
    model.compile(**{"optimizer": "sgd", "loss": mean_label, **settings})
    return model


def fit(losses, *callbacks, epochs=1, stop=None, valid=None, **settings):
    """Train with one batch for each of the losses."""
    data = [np.ones((len(losses), 1)), np.array(losses, "float32")[:, None]]
    return model(**settings).fit(
        *data,
        batch_size=1,
        shuffle=False,
        epochs=epochs,
        validation_data=valid,
        callbacks=[stop or StopOnBadLoss(), *callbacks],
        verbose=0,
    )


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("others", [[], [EachStep()]], ids=["ahead", "waiting"])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_loss_that_is_not_finite_stops_training(bad, others, jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("compiling is for TensorFlow and JAX")
    message = f"StopOnBadLoss: got loss={bad} at step 4, in epoch 1 "
    with pytest.raises(FloatingPointError, match=message):
        fit([2, 3, 1, bad, 1, 1, 1, 1], *others, jit_compile=jit_compile)


def test_the_last_batch_of_all_counts_too():
    with pytest.raises(FloatingPointError, match="loss=nan at step 3, in epoch 1"):
        fit([2, 2, NAN])


def test_no_validation_is_run_with_a_bad_loss():
    tests = []
    count = keras.callbacks.LambdaCallback(on_test_begin=tests.append)
    valid = np.ones((2, 1)), np.ones((2, 1))
    stop = StopOnBadLoss()
    with pytest.raises(FloatingPointError, match="loss=nan at step 3"):
        fit([2, 2, NAN], EachStep(), count, stop=stop, valid=valid)
    assert tests == []


def test_it_says_what_was_before():
    message = (
        "last finite loss about 1, lowest of the last 5 steps 0.5, "
        r"learning rate 0.01\), but"
    )
    with pytest.raises(FloatingPointError, match=message):
        fit([2, 3, 0.5, 2, 1, NAN], EachStep())


def test_a_bad_first_step_has_nothing_before_it():
    message = "last finite loss none, lowest of the last 0 steps none"
    with pytest.raises(FloatingPointError, match=message):
        fit([NAN, 1])


def test_it_counts_the_steps_of_all_epochs():
    with pytest.raises(FloatingPointError, match="loss=nan at step 6, in epoch 2"):
        fit([1, 1, 1], Spoil(after=5), epochs=3)


def test_batches_are_counted_where_several_make_a_step():
    optimizer = keras.optimizers.SGD(0.01, gradient_accumulation_steps=2)
    with pytest.raises(FloatingPointError, match="loss=nan at step 4, in epoch 1"):
        fit([1, 1, 1, NAN], optimizer=optimizer)


def test_batches_are_counted_where_the_loss_is_scaled_too():
    inner = keras.optimizers.SGD(0.01, gradient_accumulation_steps=2)
    optimizer = keras.optimizers.LossScaleOptimizer(inner)
    with pytest.raises(FloatingPointError, match="loss=nan at step 7, in epoch 2"):
        fit([1, 1, 1, 1], Spoil(after=3), epochs=2, optimizer=optimizer)


def test_it_tells_an_explosion():
    message = "a step had been about 2, and was 9 in the last one"
    with pytest.raises(FloatingPointError, match=message):
        fit([2, 2, 2, 2, 9, INF], EachStep())


def test_it_tells_a_loss_that_alone_is_bad():
    def nan_without_gradient(y_true, y_pred):
        return mean_label(ops.where(y_true > 5, NAN, y_true), y_pred)

    with pytest.raises(FloatingPointError, match="All weights are still finite"):
        fit([2, 2, 9, 2], loss=nan_without_gradient)


def test_it_looks_through_the_data():
    data = [(np.ones((1, 1)), np.zeros((1, 1)))]
    with pytest.raises(
        FloatingPointError, match=r"shape \(1, 1\) that are all padding"
    ):
        fit([2, NAN], stop=StopOnBadLoss(data))


def test_ids_outside_of_the_vocabulary_are_told_on_jax():
    """TensorFlow on CPU says so itself, when the step is run."""
    if keras.backend.backend() != "jax":
        pytest.skip("gives no NaN on this backend")
    model = ka.Transformer(11, 13, num_layers=1, d_model=12, num_heads=3, d_ff=24)
    model.compile("adam", ka.MaskedCrossentropy(), jit_compile=False)
    ids = np.array([[5, 6, 3], [5, 11, 3]], "int32")
    batches = [({"source_ids": ids, "target_ids": ids}, ids)]
    with pytest.raises(FloatingPointError, match="source_ids of a batch .*3 to 11"):
        model.fit(*batches[0], callbacks=[StopOnBadLoss(batches)], verbose=0)


def test_weights_that_are_bad_from_the_start_are_told():
    bad = model()
    bad.get_layer("dense").bias.assign([INF])
    message = "got weights dense.*/bias that are not finite at the start of epoch 1"
    with pytest.raises(FloatingPointError, match=message):
        bad.fit(
            np.ones((2, 1)), np.ones((2, 1)), callbacks=[StopOnBadLoss()], verbose=0
        )


def test_a_loss_of_exactly_0_gives_one_warning():
    message = "exactly 0 at step 1, in epoch 1"
    with pytest.warns(UserWarning, match=message) as warned:
        fit([0, 0, 0], epochs=2)
    assert sum("exactly 0" in str(one.message) for one in warned) == 1


def test_a_validation_loss_that_is_not_finite_gives_a_warning():
    valid = np.ones((2, 1)), np.full((2, 1), NAN)
    with pytest.warns(UserWarning, match="validation loss is nan after epoch 1"):
        fit([1, 1], valid=valid)


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_an_epoch_without_any_batch_is_an_error():
    """On TensorFlow, where Keras goes on after a warning; on JAX it stops."""
    nothing = np.ones((0, 1)), np.ones((0, 1))
    message = "StopOnBadLoss: got no batch in epoch 1, but there must be some"
    with pytest.raises(ValueError, match=message):
        model().fit(*nothing, callbacks=[StopOnBadLoss()], verbose=0)


def test_training_that_goes_well_is_left_alone():
    history = fit([2, 1, 3], epochs=2)
    assert history.history["loss"] == [2, 2]
