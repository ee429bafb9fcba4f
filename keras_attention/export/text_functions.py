"""Functions of strings, a tokenizer and a model -> a SavedModel."""

import tensorflow as tf

from keras_attention.export.replaced_folder import replaced_folder
from keras_attention.export.translator import EXPORTED


def export_text_functions(owner, folder, functions):
    """Write a SavedModel of functions that take strings.

    Args:
        owner: Whose functions they are: its `tokenizer` and its `model` go along.
        folder: Where the SavedModel is to be; an older one there is replaced, but only
            when the new one is whole.
        functions: {signature: `tf.function` with an input signature}.

    Raises:
        FileExistsError: If the folder holds other things than a SavedModel.
    """
    name = f"{type(owner).__name__}.export"
    with replaced_folder(name, folder, EXPORTED) as aside:
        signatures = {
            key: function.get_concrete_function() for key, function in functions.items()
        }
        tf.saved_model.save(Served(owner), str(aside), signatures)


def text_spec(*others):
    """`text`, strings (B,), and scalars of the given names and dtypes."""
    scalars = [tf.TensorSpec((), dtype, name) for name, dtype in others]
    return [tf.TensorSpec((None,), tf.string, "text"), *scalars]


class Served(tf.Module):
    """What an export needs beside its graph: the tokenizer, and the raw variables.

    With the Keras model itself there would be two of each variable, of which a server's
    loader restores one.

    Args:
        owner: Has a `tokenizer` and a `model`.
    """

    def __init__(self, owner):
        super().__init__()
        self.tokenizer = owner.tokenizer
        self.weights = [variable.value for variable in owner.model.variables]
