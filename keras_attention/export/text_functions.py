"""Functions of strings, a tokenizer and a model -> answers, and a SavedModel."""

import keras
import tensorflow as tf

from keras_attention.export.graph_function import require_tensorflow
from keras_attention.export.texts import require_texts
from keras_attention.files.replaced_folder import EXPORTED, replaced_folder
from keras_attention.layers.requirements import require_positive


class TextFunctions:
    """What everything that takes strings and is no translator does in one way.

    A subclass has a method for each way to be asked, `signatures` with their names, and
    a `__call__` that says what comes out. The model's weights are read as they are now;
    an export keeps those of its day.

    Args:
        model: A `keras.Model`.
        tokenizer: What the strings are cut by, in a graph.

    Raises:
        RuntimeError: On another backend than TensorFlow.
    """

    def __init__(self, model, tokenizer):
        require_tensorflow(type(self).__name__)
        self.model = model
        self.tokenizer = tokenizer
        self._graphs = self.signatures()

    def signatures(self):
        """{name: graph function of strings (B,) to {name: tensor}}.

        Of these an export is made; `serving_default` must be among them.
        """
        raise NotImplementedError

    def ask(self, signature, columns, batch_size=64, verbose=0):
        """Answer texts of any number; those of like length together.

        Args:
            signature: Name of the way to ask, whose tensors are all (B, ...).
            columns: For each of its inputs a list, tuple or array of str.
            batch_size: Texts answered at once.
            verbose: 1 shows a progress bar.

        Returns:
            For each text {name: NumPy array}, in the order of the texts.

        Raises:
            TypeError: If a column is a single str, or holds something else than str.
            ValueError: If a text holds half a surrogate pair, which is no Unicode text.
        """
        answers = [None] * len(columns[0])
        for rows, batch in self.in_batches(columns, batch_size, verbose):
            found = self._graphs[signature](*batch)
            found = {name: tensor.numpy() for name, tensor in found.items()}
            for place, row in enumerate(rows):
                answers[row] = {name: array[place] for name, array in found.items()}
        return answers

    def in_batches(self, columns, batch_size, verbose=0):
        """The numbers of some rows at a time, longest first, and their strings."""
        owner = type(self).__name__
        columns = [require_texts(column, owner) for column in columns]
        require_positive(owner, batch_size=batch_size)
        sizes = [sum(map(len, row)) for row in zip(*columns)]
        longest_first = sorted(range(len(sizes)), key=lambda row: -sizes[row])
        progress = keras.utils.Progbar(len(sizes), verbose=verbose)
        for first in range(0, len(sizes), batch_size):
            rows = longest_first[first : first + batch_size]
            yield rows, [tf.constant([texts[row] for row in rows]) for texts in columns]
            progress.add(len(rows))

    def strings(self, texts):
        """A list, tuple or array of str -> (B,), strings; raises as `ask` does."""
        return tf.constant(require_texts(texts, type(self).__name__), tf.string)

    def export(self, folder):
        """Write a SavedModel, with what `signatures` lists.

        It needs nothing of this package: `tensorflow` and `tensorflow_text` load it,
        and so does TensorFlow Serving. What was exported there before is replaced, but
        only when the new one is whole.

        Raises:
            FileExistsError: If the folder holds other things than a SavedModel.
        """
        owner = f"{type(self).__name__}.export"
        with replaced_folder(owner, folder, EXPORTED) as aside:
            signatures = {
                name: graph.get_concrete_function()
                for name, graph in self._graphs.items()
            }
            tf.saved_model.save(Served(self), str(aside), signatures)


def require_vocabulary(owner, pieces, vocab_size):
    """Raise ValueError unless a tokenizer has as many pieces as the model has ids."""
    if pieces != vocab_size:
        raise ValueError(
            f"{owner}: got a tokenizer of {pieces} pieces and a model with "
            f"vocab_size={vocab_size}, but each id must mean the same to both. Use the "
            f"tokenizer that the model was trained with."
        )


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
