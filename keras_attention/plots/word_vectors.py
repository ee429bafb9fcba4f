"""Word vectors -> a picture in which near words have near vectors."""

import numpy as np

from keras_attention.embeddings.projection import principal_components
from keras_attention.plots.figure import new_figure
from keras_attention.plots.fonts import fonts_for


def plot_word_vectors(vectors, words):
    """Draw words as points in the plane that keeps most of their vectors' variance.

    Args:
        vectors: `gensim.models.KeyedVectors`.
        words: Which to draw, at least 3; of fastText any, else words that it has.

    Returns:
        `matplotlib.figure.Figure`; its `savefig("words.png")` writes the picture. The
        axes name the share of the variance that each keeps. Scripts that matplotlib's
        own font lacks, such as Hangul, are drawn in an installed font that has them;
        if there is none, a warning says which to install.

    Raises:
        KeyError: If a word has no vector.
        ValueError: If there are fewer than 3 words.
        ImportError: If matplotlib is not installed.

    Example:

    >>> text = [["a", "dog", "runs"], ["a", "cat", "sleeps"]] * 20
    >>> vectors = train_word2vec(text, d_model=12)
    >>> len(plot_word_vectors(vectors, ["dog", "cat", "runs"]).axes)
    1
    """
    require_enough(words)
    figure = new_figure("plot_word_vectors", 8, 8)
    points, shares = principal_components(np.stack([vectors[word] for word in words]))
    axes = figure.add_subplot()
    axes.scatter(*points.T, s=12)
    family = fonts_for("plot_word_vectors", words)
    for word, point in zip(words, points):
        axes.annotate(
            word,
            point,
            xytext=(4, 2),
            textcoords="offset points",
            fontfamily=family,
            parse_math=False,
        )
    axes.set(
        xlabel=f"first principal component, {shares[0]:.0%} of the variance",
        ylabel=f"second principal component, {shares[1]:.0%}",
    )
    return figure


def require_enough(words):
    """Raise ValueError unless words span a plane."""
    if len(words) < 3:
        raise ValueError(
            f"plot_word_vectors: got {len(words)} words, but a plane through fewer "
            f"than 3 points says nothing. Give more words."
        )
