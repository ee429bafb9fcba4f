"""One trace for all sizes, and TensorFlow for everything that takes strings."""

import keras
import pytest
import tensorflow as tf

from keras_attention.export.graph_function import (
    IDS,
    TEXT,
    graph_function,
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


def test_another_backend_is_refused_with_the_way_out(monkeypatch):
    require_tensorflow("Reader")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    message = "Reader: got the backend 'jax', but .* KERAS_BACKEND=tensorflow"
    with pytest.raises(RuntimeError, match=message):
        require_tensorflow("Reader")
