"""A model over WordPiece and its tokenizer -> answers for strings, and a SavedModel."""

import keras
import tensorflow as tf

from keras_attention.export.text_functions import export_text_functions
from keras_attention.export.translator import (
    require_tensorflow,
    require_texts,
)
from keras_attention.layers.requirements import require_positive

TEXT = tf.TensorSpec((None,), tf.string, name="text")


class WordPieceModel:
    """What everything that takes strings and has a `Bert` inside does in one way.

    A subclass has a method for each way to be asked, `signatures` with their names, and
    a `__call__` that says what comes out.

    Args:
        model: The Keras model.
        bert: The `Bert` in it.
        tokenizer: Its `WordPieceTokenizer`.
        max_length: Tokens of a text, the special ones included, behind which it is cut
            off; at most the model's own `max_length`, which None takes.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ValueError: If the tokenizer has more pieces than the model, or `max_length` is
            out of its range.
    """

    def __init__(self, model, bert, tokenizer, max_length=None):
        owner = type(self).__name__
        require_tensorflow()
        longest = bert.config["max_length"]
        max_length = longest if max_length is None else max_length
        require_length(owner, max_length, longest)
        require_vocabulary(owner, tokenizer.vocab_size, bert.config["vocab_size"])
        self.model = model
        self.tokenizer = tokenizer
        self.max_length = max_length
        self._graphs = self.signatures()

    def signatures(self):
        """{name: graph function of strings (B,) to {name: tensor (B, ...)}}.

        Of these an export is made; `serving_default` must be among them.
        """
        raise NotImplementedError

    def ask(self, signature, columns, batch_size=64, verbose=0):
        """Answer texts of any number; those of like length together.

        Args:
            signature: Name of the way to ask.
            columns: For each of its inputs a list, tuple or array of str.
            batch_size: Texts answered at once.
            verbose: 1 shows a progress bar.

        Returns:
            For each text {name: NumPy array}, in the order of the texts.

        Raises:
            TypeError: If a column is a single str, or holds something else than str.
            ValueError: If a text holds half a surrogate pair, which is no Unicode text.
        """
        columns = [require_texts(column) for column in columns]
        require_positive(type(self).__name__, batch_size=batch_size)
        sizes = [sum(map(len, row)) for row in zip(*columns)]
        longest_first = sorted(range(len(sizes)), key=lambda row: -sizes[row])
        answers = [None] * len(sizes)
        progress = keras.utils.Progbar(len(sizes), verbose=verbose)
        for first in range(0, len(sizes), batch_size):
            rows = longest_first[first : first + batch_size]
            batch = [tf.constant([column[row] for row in rows]) for column in columns]
            found = self._graphs[signature](*batch)
            found = {name: tensor.numpy() for name, tensor in found.items()}
            for place, row in enumerate(rows):
                answers[row] = {name: array[place] for name, array in found.items()}
            progress.add(len(rows))
        return answers

    def export(self, folder):
        """Write a SavedModel, with what `signatures` lists.

        It needs nothing of this package: `tensorflow` and `tensorflow_text` load it,
        and so does TensorFlow Serving. What was exported there before is replaced, but
        only when the new one is whole.

        Raises:
            FileExistsError: If the folder holds other things than a SavedModel.
        """
        export_text_functions(self, folder, self._graphs)


def require_length(owner, max_length, longest):
    """Raise ValueError unless a sentence of this length can be encoded."""
    if not 3 <= max_length <= longest:
        raise ValueError(
            f"{owner}: got max_length={max_length}, but there must be room for a token "
            f"between [CLS] and [SEP], and the model has {longest} positions. Use a "
            f"number from 3 to {longest}."
        )


def require_vocabulary(owner, pieces, vectors):
    """Raise ValueError if there are pieces without a vector."""
    if pieces > vectors:
        raise ValueError(
            f"{owner}: got a tokenizer of {pieces} pieces and a model with "
            f"vocab_size={vectors}, but each piece needs a vector. Use the tokenizer "
            f"that the model was trained with."
        )
