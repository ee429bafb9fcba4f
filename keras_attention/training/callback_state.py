"""Callbacks -> what they must remember from one process to the next, and back."""

import keras
import numpy as np

# The public attributes of Keras's own callbacks that change while they watch.
REMEMBERED = {
    keras.callbacks.EarlyStopping: (
        "best",
        "best_epoch",
        "best_weights",
        "stopped_epoch",
        "wait",
    ),
    keras.callbacks.ReduceLROnPlateau: ("best", "cooldown_counter", "wait"),
    keras.callbacks.ModelCheckpoint: ("best",),
    keras.callbacks.History: ("history", "epoch"),
}

ARRAY = "array number"


def get_states(callbacks):
    """State of each callback that has one.

    A callback of ours or yours has one if it offers `get_state()`, which gives a dict
    of what JSON can hold and of arrays, and `set_state(state)`. Keras's EarlyStopping,
    ReduceLROnPlateau, ModelCheckpoint and History have one, too.

    Returns:
        `{name: state}`; the name is the class's, numbered where it comes again.
    """
    states = {name: get_state(one) for name, one in by_name(callbacks).items()}
    return {name: state for name, state in states.items() if state is not None}


def set_states(callbacks, states):
    """Give each callback the state of its name; one without keeps what it has."""
    for name, callback in by_name(callbacks).items():
        if name in states:
            set_state(callback, states[name])


def by_name(callbacks):
    """`{"EarlyStopping 1": ..., "EarlyStopping 2": ..., ...}`"""
    named, counts = {}, {}
    for callback in callbacks:
        kind = type(callback).__name__
        counts[kind] = counts.get(kind, 0) + 1
        named[f"{kind} {counts[kind]}"] = callback
    return named


def get_state(callback):
    """The state of one callback, or None."""
    if hasattr(callback, "get_state"):
        return callback.get_state()
    names = remembered(callback)
    return {name: getattr(callback, name) for name in names} if names else None


def set_state(callback, state):
    """Give one callback the state that `get_state` took."""
    if hasattr(callback, "set_state"):
        callback.set_state(state)
        return
    for name in remembered(callback):
        setattr(callback, name, state[name])


def remembered(callback):
    """Names of the attributes that make up the state of one of Keras's callbacks."""
    for kind, names in REMEMBERED.items():
        if isinstance(callback, kind):
            return names
    return ()


def take_arrays(state, arrays):
    """Move the arrays in nested dicts and lists to a list: state -> what JSON holds."""
    if isinstance(state, np.ndarray):
        arrays.append(state)
        return {ARRAY: len(arrays) - 1}
    if isinstance(state, dict):
        return {name: take_arrays(value, arrays) for name, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [take_arrays(value, arrays) for value in state]
    return state


def put_arrays(state, arrays):
    """Undo `take_arrays`."""
    if isinstance(state, dict) and list(state) == [ARRAY]:
        return arrays[state[ARRAY]]
    if isinstance(state, dict):
        return {name: put_arrays(value, arrays) for name, value in state.items()}
    if isinstance(state, list):
        return [put_arrays(value, arrays) for value in state]
    return state
