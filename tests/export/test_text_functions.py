"""Functions of strings are served with the tokenizer and the weights of their day."""

import pytest
import tensorflow as tf

from keras_attention.export.text_functions import export_text_functions, text_spec

pytestmark = pytest.mark.tensorflow


class Lengths(tf.Module):
    """A number for each text; its model is one variable, its tokenizer none."""

    def __init__(self):
        super().__init__()
        self.tokenizer, self.model = tf.Module(), self
        self.scale = tf.Variable(2)

    @property
    def variables(self):
        class Variable:
            value = self.scale

        return [Variable()]

    def of(self, text, more):
        return {"length": self.scale * tf.strings.length(text) + more}


def export(owner, folder):
    spec = text_spec(("more", tf.int32))
    export_text_functions(
        owner, folder, {"serving_default": tf.function(owner.of, spec)}
    )


def test_a_signature_takes_strings_and_scalars(tmp_path):
    owner = Lengths()
    export(owner, tmp_path / "1")
    owner.scale.assign(9)
    served = tf.saved_model.load(tmp_path / "1").signatures["serving_default"]
    found = served(text=tf.constant(["a", "", "abc"]), more=tf.constant(1))
    assert found["length"].numpy().tolist() == [3, 1, 7]


def test_other_things_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="Lengths.export: .*thesis.tex"):
        export(Lengths(), tmp_path)
