"""A model of words' characters, asked with sentences; and a SavedModel of it."""

import tensorflow as tf

from keras_attention.export.graph_function import TEXT, graph_function
from keras_attention.export.text_functions import TextFunctions

# What stands for the words START and END in an answer.
START_WORD, END_WORD = "<s>", "</s>"


class TextModel(TextFunctions):
    """Ask a model that reads characters, such as one on top of ELMo, with sentences.

    Here the model's weights are read as they are now; the export keeps those of its
    day. No sentence's answer depends on which others are asked with it.

    The export has the one signature `serving_default`: `text`, strings (B,), to what
    the model makes of them. Its outputs are named as the model's, if that returns a
    dict, else `output`; floats are float32. Beside them are `words` (B, T), strings of
    UTF-8: "<s>", the words of each sentence and "</s>", then "". Of a model's answers
    for each word, those at "" mean nothing.

    Args:
        model: A `keras.Model`, from characters (B, T, C) to a tensor or a dict of
            tensors: (B, ...) for each sentence, or (B, T, ...) for each word.
        tokenizer: `CharacterTokenizer` of the same C.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ValueError: If the model takes words of another number of characters.

    Example:

        answers = TextModel(classifier, CharacterTokenizer(max_characters=50))
        answers(["A man plays the guitar."])["output"]  # (1, classes)
        answers.export("saved_models/classifier/1")
    """

    def __init__(self, model, tokenizer):
        super().__init__(model, tokenizer)
        require_characters(model.input_shape, tokenizer.max_characters)

    def signatures(self):
        return {"serving_default": graph_function(self.answer, TEXT)}

    def answer(self, text):
        """What it does, in a graph: strings (B,) -> a dict of tensors, as exported."""
        number = tf.size(text)
        words = self.tokenizer.split(at_least_one(text))
        found = self.model(self.tokenizer.spell(words))
        found = found if isinstance(found, dict) else {"output": found}
        found = {"words": with_marks(words), **found}
        return {name: in_float32(values)[:number] for name, values in found.items()}

    def __call__(self, texts):
        """Answer sentences, all at once.

        Args:
            texts: List, tuple or array of str.

        Returns:
            A dict of NumPy arrays, those of the export.

        Raises:
            TypeError: If `texts` is a single str, or holds something else than str.
            ValueError: If a text holds half a surrogate pair, which is no Unicode text.
        """
        found = self._graphs["serving_default"](self.strings(texts))
        return {name: values.numpy() for name, values in found.items()}


def at_least_one(text):
    """Texts (B,), or one that is empty: no words at all break TensorFlow's Conv1D."""
    none = tf.cast(tf.size(text) == 0, tf.int32)
    return tf.concat([text, tf.fill([none], "")], axis=0)


def with_marks(words):
    """Words (B, None) -> (B, T), with START and END, and "" behind them."""
    start, end = (tf.fill((words.nrows(), 1), mark) for mark in (START_WORD, END_WORD))
    return tf.concat([start, words, end], axis=1).to_tensor("")


def in_float32(values):
    """The same, but float32 if of another float dtype."""
    return tf.cast(values, tf.float32) if values.dtype.is_floating else values


def require_characters(input_shape, max_characters):
    """Raise ValueError unless a model reads words of this many characters."""
    if isinstance(input_shape, dict) or input_shape[-1] != max_characters:
        raise ValueError(
            f"TextModel: got a model of inputs {input_shape} and a tokenizer with "
            f"max_characters={max_characters}, but it is to read (B, T, "
            f"{max_characters}). Give the CharacterTokenizer that max_characters that "
            f"the model has."
        )
