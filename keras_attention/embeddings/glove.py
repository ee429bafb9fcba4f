"""Sentences of words -> GloVe vectors: a least squares fit to counts, by Keras."""

from collections.abc import Iterable, Sequence

import keras
import numpy as np
from keras import ops

from keras_attention.embeddings.cooccurrences import count_cooccurrences
from keras_attention.embeddings.gensim_models import import_gensim, keyed_vectors
from keras_attention.embeddings.sentences import (
    frequent_words,
    require_sentences,
    require_words,
)
from keras_attention.layers.requirements import require_positive


def train_glove(
    sentences: Iterable[Sequence[str]],
    d_model: int = 100,
    window: int = 10,
    min_count: int = 5,
    epochs: int = 25,
    x_max: float = 100.0,
    alpha: float = 0.75,
    learning_rate: float = 0.05,
    batch_size: int = 4096,
    seed: int = 0,
    verbose: int = 0,
):
    """Learn a vector for each word by fitting how often it stands near each other one.

    With X_ij the count of word j near word i, minimise by AdaGrad the sum over all
    pairs that occur of f(X_ij) (w_i . w~_j + b_i + b~_j - log X_ij)^2. The result is
    w + w~.

    Args:
        sentences, d_model, min_count, seed: See `train_word2vec`.
        window: Most words from one to the other; at distance d they count 1 / d.
        epochs: Passes over the pairs. The paper takes 50 for D < 300, else 100.
        x_max: Count from which a pair has its full weight. 100 suits a corpus of a
            billion words; smaller ones need less.
        alpha: Power of the weight below that.
        learning_rate: Of AdaGrad.
        batch_size: Pairs of a step.
        verbose: As for `fit`.

    Returns:
        `gensim.models.KeyedVectors`, the most frequent words first.

    Raises:
        TypeError, ValueError: As `train_word2vec`; or no two words stand together.

    Source:
        Pennington et al., 2014, "GloVe: Global Vectors for Word Representation",
        equations 8 and 9, section 4.2. Departures: a step is the sum over a batch, and
        not one pair at a time; the gradient has the factor 2 of the square, which the
        authors' code leaves out; Keras's AdaGrad adds to its sum of squares before it
        divides, that code after. First vectors and the order of the pairs, drawn once,
        are those of that code.

    Example:

    >>> sentences = [["a", "dog", "runs"], ["a", "cat", "sleeps"]] * 20
    >>> vectors = train_glove(sentences, d_model=12, epochs=1)
    >>> vectors["dog"].shape, len(vectors)
    ((12,), 5)
    """
    import_gensim("train_glove")
    require_positive(
        "train_glove",
        d_model=d_model,
        window=window,
        min_count=min_count,
        epochs=epochs,
        batch_size=batch_size,
    )
    require_sentences("train_glove", sentences)
    words = list(frequent_words(sentences, min_count))
    require_words("train_glove", words, min_count)
    pairs, counts = count_cooccurrences(sentences, words, window)
    require_pairs(pairs, window, min_count)

    model = GloVe(len(words), d_model, seed)
    model.compile(
        keras.optimizers.Adagrad(learning_rate, initial_accumulator_value=1.0),
        loss=keras.losses.MeanSquaredError(reduction="sum"),
    )
    order = np.random.default_rng(seed).permutation(len(pairs))
    model.fit(
        pairs[order],
        np.log(counts[order])[:, None],
        sample_weight=pair_weights(counts[order], x_max, alpha),
        batch_size=batch_size,
        epochs=epochs,
        shuffle=False,
        verbose=verbose,
    )
    return keyed_vectors("train_glove", words, model.vectors())


def pair_weights(counts, x_max=100.0, alpha=0.75):
    """f(X) = min(1, X / x_max)^alpha: how much the fit of a pair counts."""
    return np.minimum(counts / x_max, 1.0) ** alpha


class GloVe(keras.Model):
    """Score pairs of words, to be fit to log X_ij: w_i . w~_j + b_i + b~_j.

    Args:
        vocab_size: V, words.
        d_model: D, width of the vectors.
        seed: Of the first vectors.

    Call arguments:
        pairs: (B, 2), int: the places of word i and word j in the vocabulary.

    Returns:
        (B, 1), float.
    """

    def __init__(self, vocab_size, d_model, seed=0):
        super().__init__()
        # One generator for all, as equal draws would keep w and w~ equal for ever.
        bound, seeds = 0.5 / d_model, keras.random.SeedGenerator(seed)
        uniform = keras.initializers.RandomUniform(-bound, bound, seed=seeds)

        # Words are columns: of a row looked up twice, Keras 3.15 on TensorFlow sums the
        # squares of the gradients, where AdaGrad needs the square of their sum.
        def table(name, width):
            return self.add_weight((width, vocab_size), uniform, name=name)

        self.words = table("words", d_model)
        self.contexts = table("contexts", d_model)
        self.word_biases = table("word_biases", 1)
        self.context_biases = table("context_biases", 1)

    def call(self, pairs):
        word, context = pairs[:, 0], pairs[:, 1]  # (B,)
        w = ops.take(self.words, word, axis=1)  # (D, B)
        w_ = ops.take(self.contexts, context, axis=1)
        b = ops.take(self.word_biases, word, axis=1)  # (1, B)
        b_ = ops.take(self.context_biases, context, axis=1)
        score = ops.sum(w * w_, axis=0, keepdims=True) + b + b_
        return ops.transpose(score)  # (B, 1)

    def vectors(self):
        """w + w~, (V, D)."""
        return ops.convert_to_numpy(self.words + self.contexts).T


def require_pairs(pairs, window, min_count):
    """Raise ValueError if no two words stand together."""
    if not len(pairs):
        raise ValueError(
            f"train_glove: got no two words together with window={window} and "
            f"min_count={min_count}, but vectors are fit to the counts of such pairs. "
            f"Give longer sentences, a larger window or a lower min_count."
        )
