"""A classifier and its tokenizer -> the class of each sentence, and a SavedModel."""

import numpy as np
import tensorflow as tf

from keras_attention.export.graph_function import TEXT, graph_function
from keras_attention.export.sentence_graph import with_end
from keras_attention.export.text_functions import TextFunctions, require_vocabulary


class SentenceClassifier(TextFunctions):
    """Say which class sentences belong to.

    Here the model's weights are read as they are now, so it can be made first, give
    the model its `token_ids` to learn from, and then use and export what was learned.

    The export has the one signature `serving_default`: `text`, strings (B,), to
    `class`, strings (B,), the likeliest; `probabilities` (B, C), float32; and
    `classes`, strings (B, C), in their order: a row for each sentence, as a server that
    joins requests into batches cuts every output into rows.

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
        super().__init__(model, tokenizer)
        vocab_size = model.config["vocab_size"]
        require_vocabulary("SentenceClassifier", tokenizer.vocab_size, vocab_size)
        require_names(classes, model.config["num_classes"])
        if max_length < 2:
            raise ValueError(
                f"SentenceClassifier: got max_length={max_length}, but there must be "
                f"room for a token and END. Use 2 or more."
            )
        self.classes = list(classes)
        self.max_length = max_length

    def signatures(self):
        def serve(text):
            probabilities, classes = self.classify(text), tf.constant(self.classes)
            return {
                "class": tf.gather(classes, tf.argmax(probabilities, axis=1)),
                "probabilities": probabilities,
                "classes": tf.repeat(classes[None], tf.shape(text)[0], axis=0),
            }

        return {"serving_default": graph_function(serve, TEXT)}

    def classify(self, texts):
        """What it does, in a graph: strings (B,) -> probabilities (B, C), float32."""
        return tf.nn.softmax(tf.cast(self.model(self.to_ids(texts)), tf.float32))

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
        found = np.zeros((len(texts), len(self.classes)), "float32")
        for rows, batch in self.in_batches([texts], batch_size):
            found[rows] = self._graphs["serving_default"](*batch)["probabilities"]
        return found

    def token_ids(self, texts):
        """What the model sees of texts, to learn from: (B, T), int32, NumPy."""
        return self.to_ids(self.strings(texts)).numpy()

    def to_ids(self, texts):
        """Strings (B,) -> ids (B, T), END behind each, then PAD, in a graph."""
        return with_end(self.tokenizer.tokenize(texts)[:, : self.max_length - 1])


def require_names(classes, num_classes):
    """Raise ValueError unless each class has a name of its own."""
    if len(set(classes)) != num_classes or len(classes) != num_classes:
        raise ValueError(
            f"SentenceClassifier: got classes={list(classes)} and a model with "
            f"num_classes={num_classes}, but each class needs a name of its own. Give "
            f"{num_classes} different ones, in the order of the labels."
        )
