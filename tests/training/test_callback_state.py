"""Callbacks remember across processes what they have seen."""

import json

import keras
import numpy as np
import pytest

from keras_attention.training.callback_state import (
    get_states,
    put_arrays,
    set_states,
    take_arrays,
)


class Counter(keras.callbacks.Callback):
    """A callback of a user's, with a state."""

    def __init__(self, count=0):
        super().__init__()
        self.count = count

    def get_state(self):
        return {"count": self.count}

    def set_state(self, state):
        self.count = state["count"]


def test_a_callback_with_a_state_of_its_own_gets_it_back():
    states = get_states([Counter(3), keras.callbacks.TerminateOnNaN(), Counter(5)])
    assert states == {"Counter 1": {"count": 3}, "Counter 2": {"count": 5}}
    first, second = Counter(), Counter()
    set_states([first, second], states)
    assert (first.count, second.count) == (3, 5)


def test_a_callback_that_is_new_keeps_what_it_has():
    callback = Counter(7)
    set_states([callback], {"History 1": {"history": {}, "epoch": []}})
    assert callback.count == 7


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        (
            keras.callbacks.EarlyStopping,
            {
                "best": 0.25,
                "best_epoch": 3,
                "best_weights": None,
                "stopped_epoch": 5,
                "wait": 2,
            },
        ),
        (
            keras.callbacks.ReduceLROnPlateau,
            {"best": 0.25, "cooldown_counter": 1, "wait": 2},
        ),
        (keras.callbacks.History, {"history": {"loss": [0.5]}, "epoch": [0]}),
    ],
)
def test_callbacks_of_keras_go_on_from_where_they_were(kind, attributes):
    callback = kind()
    callback.on_train_begin()
    for name, value in attributes.items():
        assert hasattr(callback, name)
        setattr(callback, name, value)
    states = json.loads(json.dumps(get_states([callback])))
    assert states == {f"{kind.__name__} 1": attributes}
    other = kind()
    other.on_train_begin()
    set_states([other], states)
    assert {name: getattr(other, name) for name in attributes} == attributes


def test_the_best_value_of_a_checkpoint_is_kept(tmp_path):
    callback = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras")
    callback.best = 0.25
    other = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras")
    set_states([other], get_states([callback]))
    assert other.best == 0.25


def test_arrays_are_taken_out_and_put_back():
    arrays = [np.zeros(1)]
    state = {"best_weights": [np.arange(3.0), np.ones((2, 2))], "wait": 2, "best": None}
    plain = take_arrays({"EarlyStopping 1": state}, arrays)
    assert len(arrays) == 3
    back = put_arrays(json.loads(json.dumps(plain)), arrays)["EarlyStopping 1"]
    assert (back["wait"], back["best"]) == (2, None)
    np.testing.assert_array_equal(back["best_weights"][0], [0, 1, 2])
    np.testing.assert_array_equal(back["best_weights"][1], np.ones((2, 2)))
