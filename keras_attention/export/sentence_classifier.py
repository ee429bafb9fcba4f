"""A classifier and its tokenizer -> the class of each sentence, and a SavedModel."""

import numpy as np
import tensorflow as tf

from keras_attention.export.sentence_graph import with_end
from keras_attention.export.text_functions import export_text_functions, text_spec
from keras_attention.export.translator import (
    graph_function,
    require_tensorflow,
    require_texts,
)
from keras_attention.layers.requirements import require_positive


class SentenceClassifier:
    """Say which class sentences belong to.

    Here the model's weights are read as they are now, so it can be made first, give
    the model its `token_ids` to learn from, and then use and export what was learned.

    Args:
        model: A `TextClassifier`.
        tokenizer: `SubwordTokenizer` of its vocabulary.
        classes: C names, of class 0 and so on.
        max_length: Tokens of a sentence, END included, behind which it is cut off.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ValueError: If the tokenizer or the classes do not fit the model, or
            `max_length` is below 2.

    Example:

        classifier = SentenceClassifier(model, tokenizer, ["rain", "snow"])
        model.fit(classifier.token_ids(sentences), labels)
        classifier(["It is white outside."])
        classifier.export("saved_models/weather/1")
    """

    def __init__(self, model, tokenizer, classes, max_length=256):
        require_tensorflow()
        require_fitting(model, tokenizer, classes)
        if max_length < 2:
            raise ValueError(
                f"SentenceClassifier: got max_length={max_length}, but there must be "
                f"room for a token and END. Use 2 or more."
            )
        self.model = model
        self.tokenizer = tokenizer
        self.classes = list(classes)
        self.max_length = max_length
        self._probabilities = graph_function(self.classify, *text_spec())

    def __call__(self, texts, batch_size=64):
        """The likeliest class of each text: list of str."""
        best = self.probabilities(texts, batch_size).argmax(axis=1)
        return [self.classes[index] for index in best]

    def probabilities(self, texts, batch_size=64):
        """Classify sentences of any number; those of like length together.

        Args:
            texts: List, tuple or array of str.
            batch_size: Sentences classified at once.

        Returns:
            (B, C), float32, NumPy, in the order of the texts; each row sums to 1.

        Raises:
            TypeError: If `texts` is a single str, or holds something else than str.
            ValueError: If a text holds half a surrogate pair, which is no Unicode text.
        """
        texts = require_texts(texts)
        require_positive("SentenceClassifier", batch_size=batch_size)
        found = np.zeros((len(texts), len(self.classes)), "float32")
        longest_first = np.argsort([-len(text) for text in texts], kind="stable")
        for first in range(0, len(texts), batch_size):
            rows = longest_first[first : first + batch_size]
            found[rows] = self._probabilities(tf.constant([texts[row] for row in rows]))
        return found

    def token_ids(self, texts):
        """What the model sees of texts, to learn from: (B, T), int32, NumPy."""
        return self.to_ids(tf.constant(require_texts(texts), tf.string)).numpy()

    def export(self, folder):
        """Write a SavedModel: `text`, strings (B,), to classes.

        It returns `class`, strings (B,), the likeliest; `probabilities` (B, C),
        float32; and `classes`, strings (C,), in their order. It needs nothing of this
        package: `tensorflow` and `tensorflow_text` load it, and so does TensorFlow
        Serving. What was exported there before is replaced, but only when the new one
        is whole.

        Raises:
            FileExistsError: If the folder holds other things than a SavedModel.
        """

        def serve(text):
            probabilities, classes = self.classify(text), tf.constant(self.classes)
            best = tf.gather(classes, tf.argmax(probabilities, axis=1))
            return {"class": best, "probabilities": probabilities, "classes": classes}

        function = graph_function(serve, *text_spec())
        export_text_functions(self, folder, {"serving_default": function})

    def classify(self, texts):
        """What it does, in a graph: strings (B,) -> probabilities (B, C), float32."""
        return tf.nn.softmax(tf.cast(self.model(self.to_ids(texts)), tf.float32))

    def to_ids(self, texts):
        """Strings (B,) -> ids (B, T), END behind each, then PAD, in a graph."""
        return with_end(self.tokenizer.tokenize(texts)[:, : self.max_length - 1])


def require_fitting(model, tokenizer, classes):
    """Raise unless ids and classes mean the same to a model and to the others."""
    vocab_size, num_classes = (
        model.config[name] for name in ("vocab_size", "num_classes")
    )
    if tokenizer.vocab_size != vocab_size:
        raise ValueError(
            f"SentenceClassifier: got a tokenizer of {tokenizer.vocab_size} pieces and "
            f"a model with vocab_size={vocab_size}, but each id must mean the same to "
            f"both. Use the tokenizer that the model was trained with."
        )
    if len(set(classes)) != num_classes or len(classes) != num_classes:
        raise ValueError(
            f"SentenceClassifier: got classes={list(classes)} and a model with "
            f"num_classes={num_classes}, but each class needs a name of its own. Give "
            f"{num_classes} different ones, in the order of the labels."
        )
