"""A BertTagger and its tokenizer -> labels of words, and a SavedModel."""

from typing import NamedTuple

import tensorflow as tf

from keras_attention.export.graph_function import TEXT, graph_function
from keras_attention.export.wordpiece_model import WordPieceModel


class TaggedWord(NamedTuple):
    """A word of a text, and what it is."""

    word: str
    label: str
    probability: float  # of the label


class BertWordTagger(WordPieceModel):
    """Label each word of texts: strings in, words and labels out.

    Words are what stands between spaces, as in the data that taggers learn from; so put
    spaces around punctuation that has labels of its own. What lies behind `max_length`
    tokens has none and is left out.

    The export's signature `serving_default` takes `text`, strings (B,), and gives
    `words` and `labels`, strings (B, W), "" behind the last of a text, and
    `probabilities` of these labels, (B, W), float32.

    Args:
        model: A `BertTagger`.
        tokenizer: Its `WordPieceTokenizer`.
        max_length: Tokens of a text, the special ones included, behind which it is cut
            off; at most the model's own `max_length`, which None takes.

    Attributes:
        labels: The names of the K labels.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ValueError: If the tokenizer has more pieces than the model, or `max_length` is
            out of its range.

    Example:

        tagger = BertWordTagger(model, tokenizer)
        [(word, label, probability), *others], = tagger(["ein hund bellt ."])
        tagger.export("saved_models/nouns/1")
    """

    def __init__(self, model, tokenizer, max_length=None):
        self.labels = list(model.labels)
        super().__init__(model, model.bert, tokenizer, max_length)

    def signatures(self):
        return {"serving_default": graph_function(self.tag, TEXT)}

    def tag(self, text):
        """What it does, in a graph: strings (B,) -> words, labels, probabilities."""
        words = tf.strings.split(text)  # (B, None)
        inputs = self.tokenizer.encode_words(words, max_length=self.max_length)
        logits = tf.cast(self.model(inputs), tf.float32)  # (B, W, K)
        is_word = inputs["positions"] > 0
        best = tf.gather(tf.constant(self.labels), tf.argmax(logits, axis=-1))
        most = tf.reduce_max(tf.nn.softmax(logits), axis=-1)
        return {
            "words": tf.where(is_word, words.to_tensor(), ""),
            "labels": tf.where(is_word, best, ""),
            "probabilities": tf.where(is_word, most, 0.0),
        }

    def __call__(self, texts, batch_size=64, verbose=0):
        """Label the words of texts of any number.

        Args:
            texts: List, tuple or array of str.
            batch_size: Texts labelled at once.
            verbose: 1 shows a progress bar.

        Returns:
            For each text a list of `TaggedWord`, in the order of the words.

        Raises:
            TypeError, ValueError: As `ask`.
        """
        answers = self.ask("serving_default", [texts], batch_size, verbose)
        return [tagged_words(**answer) for answer in answers]


def tagged_words(words, labels, probabilities):
    """The answer for one text, (W,) each -> its words."""
    return [
        TaggedWord(word.decode(errors="replace"), label.decode(), float(probability))
        for word, label, probability in zip(words, labels, probabilities)
        if label
    ]
