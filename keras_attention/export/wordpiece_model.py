"""A model over WordPiece and its tokenizer, which fit each other."""

from keras_attention.export.text_functions import TextFunctions


class WordPieceModel(TextFunctions):
    """What everything that takes strings and has a `Bert` inside does in one way.

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
        super().__init__(model, tokenizer)
        owner = type(self).__name__
        longest = bert.config["max_length"]
        max_length = longest if max_length is None else max_length
        require_length(owner, max_length, longest)
        require_vectors(owner, tokenizer.vocab_size, bert.config["vocab_size"])
        self.max_length = max_length


def require_length(owner, max_length, longest):
    """Raise ValueError unless a sentence of this length can be encoded."""
    if not 3 <= max_length <= longest:
        raise ValueError(
            f"{owner}: got max_length={max_length}, but there must be room for a token "
            f"between [CLS] and [SEP], and the model has {longest} positions. Use a "
            f"number from 3 to {longest}."
        )


def require_vectors(owner, pieces, vectors):
    """Raise ValueError if there are pieces without a vector."""
    if pieces > vectors:
        raise ValueError(
            f"{owner}: got a tokenizer of {pieces} pieces and a model with "
            f"vocab_size={vectors}, but each piece needs a vector. Use the tokenizer "
            f"that the model was trained with."
        )
