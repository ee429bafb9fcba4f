"""Texts of any number are answered in their order, and an export is what it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export.graph_function import TEXT, graph_function
from keras_attention.export.text_functions import (
    Served,
    TextFunctions,
    require_vocabulary,
)

pytestmark = pytest.mark.tensorflow


class Counter(TextFunctions):
    """Adds its one weight to the lengths of texts; notes how many it is asked at once."""

    def signatures(self):
        return {"serving_default": graph_function(self.count, TEXT)}

    def count(self, text):
        lengths = tf.cast(tf.strings.length(text), tf.float32)
        together = tf.fill(tf.shape(text), tf.size(text))
        return {"lengths": self.model(lengths[:, None])[:, 0], "together": together}


@pytest.fixture
def counter():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.set_weights([np.ones((1, 1)), np.array([7.0])])
    return Counter(model, tf.Module())


def test_answers_have_the_order_of_the_texts(counter):
    texts = ["a", "a b a", "", "b b b b b b b b b", "a b"]
    answers = counter.ask("serving_default", [texts], batch_size=2)
    assert [answer["lengths"] for answer in answers] == [8, 12, 7, 24, 10]
    assert [answer["together"] for answer in answers] == [2, 2, 1, 2, 2]
    assert counter.ask("serving_default", [[]]) == []


def test_an_export_keeps_the_weights_of_its_day(counter, tmp_path):
    counter.export(tmp_path / "1")
    counter.model.set_weights([np.ones((1, 1)), np.array([9.0])])
    assert counter.ask("serving_default", [["abc"]])[0]["lengths"] == 12
    serve = tf.saved_model.load(tmp_path / "1").signatures["serving_default"]
    found = serve(text=tf.constant(["", "abc"]))
    assert found["lengths"].numpy().tolist() == [7, 10]


def test_an_export_replaces_no_other_things(counter, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="Counter.export: got .*thesis.tex"):
        counter.export(tmp_path)


def test_what_is_served_holds_raw_variables(counter):
    served = Served(counter)
    assert [type(weight).__name__ for weight in served.weights] == [
        "ResourceVariable",
        "ResourceVariable",
    ]


def test_texts_that_are_none_are_refused(counter):
    with pytest.raises(TypeError, match="Counter: got one str"):
        counter.ask("serving_default", ["a b"])
    with pytest.raises(ValueError, match="Counter: got batch_size=0"):
        counter.ask("serving_default", [["a"]], batch_size=0)


def test_pieces_without_an_id_are_refused():
    message = "Counter: got a tokenizer of 8 pieces and a model with vocab_size=7, but"
    with pytest.raises(ValueError, match=message):
        require_vocabulary("Counter", 8, 7)


def test_a_subclass_has_signatures():
    with pytest.raises(NotImplementedError):
        TextFunctions(None, None)
