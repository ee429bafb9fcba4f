"""An encoder and its tokenizer -> one vector for each sentence, and a SavedModel."""

import numpy as np
import tensorflow as tf

from keras_attention.export.graph_function import TEXT, graph_function
from keras_attention.export.wordpiece_model import WordPieceModel

# Keeps the length of a vector of zeros from dividing by 0.
EPSILON = 1e-12


class SentenceEncoder(WordPieceModel):
    """Turn sentences into vectors of length 1, near each other for like meanings.

    A sentence's vector is the mean of the encoder's vectors of its tokens, [CLS] and
    [SEP] included, divided by its length; so the dot product of two of them is their
    cosine. The export has the one signature `serving_default`: `text`, strings (B,), to
    `embedding` (B, D), float32.

    Args:
        model: A `Bert`.
        tokenizer: Its `WordPieceTokenizer`.
        max_length: Tokens of a sentence, [CLS] and [SEP] included, behind which it is
            cut off; at most the model's own `max_length`, which None takes.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ValueError: If the tokenizer has more pieces than the model, or `max_length` is
            out of its range.

    Source:
        Reimers and Gurevych, 2019, section 3, the mean of all vectors.

    Example:

        encoder = SentenceEncoder(*load_bert("all-MiniLM-L6-v2"), max_length=256)
        vectors = encoder(["A dog runs.", "A puppy is running.", "It rains."])
        vectors @ vectors.T  # (3, 3), cosines
    """

    def __init__(self, model, tokenizer, max_length=None):
        super().__init__(model, model, tokenizer, max_length)

    def signatures(self):
        def serve(text):
            return {"embedding": self.encode(text)}

        return {"serving_default": graph_function(serve, TEXT)}

    def encode(self, texts):
        """What it does, in a graph: strings (B,) -> vectors (B, D), float32."""
        inputs = self.tokenizer.encode(texts, max_length=self.max_length)
        hidden = self.model(inputs)
        weights = tf.cast(inputs["token_ids"] != 0, tf.float32)[:, :, None]  # (B, T, 1)
        total = tf.reduce_sum(tf.cast(hidden, tf.float32) * weights, axis=1)  # (B, D)
        mean = total / tf.reduce_sum(weights, axis=1)
        return mean / tf.maximum(tf.norm(mean, axis=-1, keepdims=True), EPSILON)

    def __call__(self, texts, batch_size=64, verbose=0):
        """Encode sentences of any number.

        Args:
            texts: List, tuple or array of str.
            batch_size: Sentences encoded at once.
            verbose: 1 shows a progress bar.

        Returns:
            (B, D), float32, NumPy, in the order of the texts.

        Raises:
            TypeError, ValueError: As `ask`.
        """
        answers = self.ask("serving_default", [texts], batch_size, verbose)
        vectors = np.zeros((len(answers), self.model.config["d_model"]), "float32")
        for vector, answer in zip(vectors, answers):
            vector[:] = answer["embedding"]
        return vectors
