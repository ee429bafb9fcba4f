"""A BertClassifier and its tokenizer -> classes of texts, and a SavedModel."""

import numpy as np
import tensorflow as tf

from keras_attention.export.graph_function import TEXT, graph_function
from keras_attention.export.wordpiece_model import WordPieceModel

SECOND_TEXT = tf.TensorSpec((None,), tf.string, name="second_text")


class BertTextClassifier(WordPieceModel):
    """Tell what texts are, or pairs of them: strings in, class probabilities out.

    The export has two signatures, for what the model was trained on: `serving_default`
    takes `text`, strings (B,), and `pair` also `second_text`. Both give `class`,
    strings (B,), the likeliest; `probabilities` (B, C), float32; and `classes`, strings
    (B, C), whose they are.

    Args:
        model: A `BertClassifier`.
        tokenizer: Its `WordPieceTokenizer`.
        max_length: Tokens of a text or pair, the special ones included, behind which it
            is cut off; at most the model's own `max_length`, which None takes.

    Attributes:
        classes: Their C names.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ValueError: If the tokenizer has more pieces than the model, or `max_length` is
            out of its range.

    Example:

        classifier = BertTextClassifier(model, tokenizer, max_length=128)
        classifier(["What a film!", "I left early."])  # ["good", "bad"]
        classifier.probabilities(["What a film!"])  # (1, 2)
        classifier.export("saved_models/films/1")
    """

    def __init__(self, model, tokenizer, max_length=None):
        self.classes = list(model.classes)
        super().__init__(model, model.bert, tokenizer, max_length)

    def signatures(self):
        return {
            "serving_default": graph_function(self.classify, TEXT),
            "pair": graph_function(self.classify, TEXT, SECOND_TEXT),
        }

    def classify(self, text, second_text=None):
        """What it does, in a graph: strings (B,) -> classes and probabilities."""
        inputs = self.tokenizer.encode(text, second_text, max_length=self.max_length)
        logits = tf.cast(self.model(inputs), tf.float32)  # (B, C)
        classes = tf.constant(self.classes)
        return {
            "class": tf.gather(classes, tf.argmax(logits, axis=-1)),
            "probabilities": tf.nn.softmax(logits),
            "classes": tf.repeat(classes[None], tf.shape(logits)[0], axis=0),
        }

    def __call__(self, texts, second_texts=None, batch_size=64, verbose=0):
        """The likeliest class of each text or pair: list of str."""
        found = self.probabilities(texts, second_texts, batch_size, verbose)
        return [self.classes[index] for index in found.argmax(axis=1)]

    def probabilities(self, texts, second_texts=None, batch_size=64, verbose=0):
        """Classify texts, or pairs, of any number.

        Args:
            texts: List, tuple or array of str.
            second_texts: As many, the second of each pair; or None.
            batch_size: Texts classified at once.
            verbose: 1 shows a progress bar.

        Returns:
            (B, C), float32, NumPy, in the order of the texts; each row sums to 1.

        Raises:
            TypeError, ValueError: As `ask`; or there are not as many second texts.
        """
        if second_texts is None:
            answers = self.ask("serving_default", [texts], batch_size, verbose)
        else:
            require_as_many(texts, second_texts)
            answers = self.ask("pair", [texts, second_texts], batch_size, verbose)
        found = [answer["probabilities"] for answer in answers]
        return np.array(found, "float32").reshape(len(found), len(self.classes))


def require_as_many(texts, second_texts):
    """Raise ValueError unless each text has its second."""
    if len(texts) != len(second_texts):
        raise ValueError(
            f"BertTextClassifier: got {len(texts)} texts and {len(second_texts)} "
            f"second texts, but they are pairs. Give one second for each text."
        )
