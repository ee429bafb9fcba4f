"""An encoder and its tokenizer -> one vector for each sentence, and a SavedModel."""

import keras
import numpy as np
import tensorflow as tf

from keras_attention.export.replaced_folder import replaced_folder
from keras_attention.export.translator import (
    EXPORTED,
    require_tensorflow,
    require_texts,
)
from keras_attention.layers.requirements import require_positive

# Keeps the length of a vector of zeros from dividing by 0.
EPSILON = 1e-12


class SentenceEncoder:
    """Turn sentences into vectors of length 1, near each other for like meanings.

    A sentence's vector is the mean of the encoder's vectors of its tokens, [CLS] and
    [SEP] included, divided by its length; so the dot product of two of them is their
    cosine.

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
        require_tensorflow()
        longest = model.config["max_length"]
        max_length = longest if max_length is None else max_length
        require_length(max_length, longest)
        require_vocabulary(tokenizer.vocab_size, model.config["vocab_size"])
        self.model = model
        self.tokenizer = tokenizer
        self.max_length = max_length
        texts = tf.TensorSpec((None,), tf.string)
        self._encode = tf.function(self.encode, [texts], autograph=False)

    def encode(self, texts):
        """What it does, in a graph: strings (B,) -> vectors (B, D), float32."""
        ids = self.tokenizer.pack(self.tokenizer.tokenize(texts), self.max_length)
        hidden = self.model({"token_ids": ids, "segment_ids": tf.zeros_like(ids)})
        weights = tf.cast(ids != 0, tf.float32)[:, :, None]  # (B, T, 1)
        total = tf.reduce_sum(tf.cast(hidden, tf.float32) * weights, axis=1)  # (B, D)
        mean = total / tf.reduce_sum(weights, axis=1)
        return mean / tf.maximum(tf.norm(mean, axis=-1, keepdims=True), EPSILON)

    def __call__(self, texts, batch_size=64, verbose=0):
        """Encode sentences of any number; those of like length together.

        Args:
            texts: List, tuple or array of str.
            batch_size: Sentences encoded at once.
            verbose: 1 shows a progress bar.

        Returns:
            (B, D), float32, NumPy, in the order of the texts.

        Raises:
            TypeError: If `texts` is a single str, or holds something else than str.
            ValueError: If a text holds half a surrogate pair, which is no Unicode text.
        """
        texts = require_texts(texts)
        require_positive("SentenceEncoder", batch_size=batch_size)
        vectors = np.zeros((len(texts), self.model.config["d_model"]), "float32")
        longest_first = np.argsort([-len(text) for text in texts], kind="stable")
        progress = keras.utils.Progbar(len(texts), verbose=verbose)
        for first in range(0, len(texts), batch_size):
            rows = longest_first[first : first + batch_size]
            vectors[rows] = self._encode(tf.constant([texts[row] for row in rows]))
            progress.add(len(rows))
        return vectors

    def export(self, folder):
        """Write a SavedModel: `text`, strings (B,), to `embedding` (B, D), float32.

        It needs nothing of this package: `tensorflow` and `tensorflow_text` load it,
        and so does TensorFlow Serving. What was exported there before is replaced, but
        only when the new one is whole.

        Raises:
            FileExistsError: If the folder holds other things than a SavedModel.
        """

        def serve(text):
            return {"embedding": self.encode(text)}

        texts = tf.TensorSpec((None,), tf.string, name="text")
        with replaced_folder("SentenceEncoder.export", folder, EXPORTED) as aside:
            function = tf.function(serve, [texts], autograph=False)
            signatures = {"serving_default": function.get_concrete_function()}
            tf.saved_model.save(Served(self), str(aside), signatures)


class Served(tf.Module):
    """What an export needs beside its graph: the tokenizer, and the raw variables.

    With the Keras model itself there would be two of each variable, of which a server's
    loader restores one.
    """

    def __init__(self, encoder):
        super().__init__()
        self.tokenizer = encoder.tokenizer
        self.weights = [variable.value for variable in encoder.model.variables]


def require_length(max_length, longest):
    """Raise ValueError unless a sentence of this length can be encoded."""
    if not 3 <= max_length <= longest:
        raise ValueError(
            f"SentenceEncoder: got max_length={max_length}, but there must be room for "
            f"a token between [CLS] and [SEP], and the model has {longest} positions. "
            f"Use a number from 3 to {longest}."
        )


def require_vocabulary(pieces, vectors):
    """Raise ValueError if there are pieces without a vector."""
    if pieces > vectors:
        raise ValueError(
            f"SentenceEncoder: got a tokenizer of {pieces} pieces and a model with "
            f"vocab_size={vectors}, but each piece needs a vector. Use the tokenizer "
            f"that the model was trained with."
        )
