"""What an export needs goes along, and nothing that was there is lost."""

import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export.text_functions import (
    Served,
    export_text_functions,
    text_spec,
)

pytestmark = pytest.mark.tensorflow


class Owner:
    """Adds its one weight to the lengths of texts."""

    def __init__(self):
        import keras

        self.model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        self.tokenizer = tf.Module()
        self.model.set_weights([np.ones((1, 1)), np.array([7.0])])

    def lengths(self, text):
        lengths = tf.cast(tf.strings.length(text), tf.float32)
        return {"lengths": self.model(lengths[:, None])}


def test_the_functions_are_signatures_and_the_weights_are_those_of_the_day(tmp_path):
    owner = Owner()
    function = tf.function(owner.lengths, text_spec(), autograph=False)
    export_text_functions(owner, tmp_path / "1", {"serving_default": function})
    owner.model.set_weights([np.ones((1, 1)), np.array([9.0])])
    serve = tf.saved_model.load(tmp_path / "1").signatures["serving_default"]
    assert serve(text=tf.constant(["", "abc"]))["lengths"].numpy().tolist() == [
        [7.0],
        [10.0],
    ]
    (tmp_path / "1" / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="Owner.export: got .*thesis.tex"):
        export_text_functions(owner, tmp_path / "1", {"serving_default": function})


def test_a_spec_may_have_scalars_beside_the_text():
    text, seed = text_spec(("seed", tf.int32))
    assert (text.name, text.dtype, text.shape.rank) == ("text", tf.string, 1)
    assert (seed.name, seed.dtype, seed.shape.rank) == ("seed", tf.int32, 0)


def test_what_is_served_holds_raw_variables():
    served = Served(Owner())
    assert [type(weight).__name__ for weight in served.weights] == [
        "ResourceVariable",
        "ResourceVariable",
    ]
