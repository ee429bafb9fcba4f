"""One trace for all sizes, and TensorFlow for everything that takes strings."""

import keras
import pytest
import tensorflow as tf

from keras_attention.export.graph_function import (
    IDS,
    TEXT,
    graph_function,
    require_short,
    require_tensorflow,
)

pytestmark = pytest.mark.tensorflow


def test_it_is_traced_once_for_all_sizes():
    traced = []

    def size(text, ids):
        traced.append(text)
        return tf.size(text) + tf.size(ids)

    function = graph_function(size, TEXT, IDS)
    for rows in (1, 3):
        for width in (2, 5):
            ids = tf.zeros((rows, width), tf.int32)
            assert int(function(tf.constant(["a"] * rows), ids)) == rows * (1 + width)
    assert len(traced) == 1


def test_its_input_has_the_name_that_a_server_shows():
    function = graph_function(lambda text: tf.strings.length(text), TEXT)
    [text] = function.get_concrete_function().inputs
    assert text.name == "text:0" and text.shape.as_list() == [None]


@pytest.mark.parametrize("words", [["a b", ""], ["", ""], []])
def test_texts_that_are_short_enough_go_on_as_they_are(words):
    pieces = tf.strings.split(tf.constant(words, tf.string))
    assert require_short(pieces, 2, "Too long.").to_list() == pieces.to_list()


def test_nothing_is_made_of_a_text_that_is_too_long():
    made = tf.Variable(0)

    def make(text):
        pieces = require_short(tf.strings.split(text), 2, "Not more than 2.")
        # Nothing else makes what has no side effect wait.
        assert pieces.flat_values.op.control_inputs
        assert pieces.row_splits.op.control_inputs
        return made.assign_add(tf.size(pieces.flat_values))

    function = graph_function(make, TEXT)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Not more than 2."):
        function(tf.constant(["a", "a b c"]))
    assert int(made) == 0
    assert int(function(tf.constant(["a", "a b"]))) == 3


def test_another_backend_is_refused_with_the_way_out(monkeypatch):
    require_tensorflow("Reader")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    message = "Reader: got the backend 'jax', but .* KERAS_BACKEND=tensorflow"
    with pytest.raises(RuntimeError, match=message):
        require_tensorflow("Reader")
