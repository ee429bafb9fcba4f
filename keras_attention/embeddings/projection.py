"""Word vectors -> a picture in which near words have near vectors."""

import warnings
from collections.abc import Sequence

import numpy as np

# A font that claims all characters, and draws a box for each.
LAST_RESORT = "Last Resort"


def plot_word_vectors(vectors, words: Sequence[str]):
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
    matplotlib = import_matplotlib("plot_word_vectors")
    points, shares = principal_components(np.stack([vectors[word] for word in words]))
    figure = matplotlib.figure.Figure(figsize=(8, 8), layout="constrained")
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


def principal_components(matrix, count=2):
    """Project vectors on the orthogonal directions in which they vary most.

    Args:
        matrix: (V, D), float.
        count: Directions K.

    Returns:
        (V, K), around the mean of the vectors, and the share of the variance that each
        direction keeps, (K,), the greatest first. A direction's sign is chosen so that
        its number of greatest magnitude is above 0.

    Source:
        Pearson, 1901; by singular value decomposition. Departures: none.

    Example:

    >>> points, shares = principal_components(np.array([[0, 0], [3, 0], [6, 0]]))
    >>> points.shape, shares.shape
    ((3, 2), (2,))
    """
    centred = matrix - matrix.mean(axis=0)
    left, singular, right = np.linalg.svd(centred, full_matrices=False)
    greatest = np.abs(right).argmax(axis=1)[:, None]
    signs = np.sign(np.take_along_axis(right, greatest, axis=1))[:, 0]
    variances = singular**2
    total = variances.sum() or 1.0
    return (left * singular * signs)[:, :count], variances[:count] / total


def fonts_for(owner, words):
    """matplotlib's own font, and behind it an installed one for what that lacks."""
    from matplotlib import font_manager

    own = font_manager.findfont(font_manager.FontProperties())
    needed = {ord(character) for word in words for character in word}
    lacking = needed - characters_of(own)
    families = [font_manager.get_font(own).family_name]
    if not lacking:
        return families
    for font in font_manager.fontManager.ttflist:
        if LAST_RESORT not in font.name and lacking <= characters_of(font.fname):
            return [*families, font.name]
    warnings.warn(
        f"{owner}: got {describe(lacking)} to draw, but no installed font has all of "
        f"them, so boxes stand for some. Install one that has, such as Noto Sans CJK "
        f"(Debian and Ubuntu: apt install fonts-noto-cjk) or for Hangul NanumGothic "
        f"(fonts-nanum), and delete matplotlib's list of fonts, in "
        f"matplotlib.get_cachedir().",
        stacklevel=3,
    )
    return families


def characters_of(font_path):
    """The code points that a font can draw."""
    from matplotlib import font_manager

    return font_manager.get_font(font_path).get_charmap().keys()


def describe(codes):
    """The first of some characters, as a reader sees and as Unicode names them."""
    return ", ".join(f"{chr(code)!r} (U+{code:04X})" for code in sorted(codes)[:3])


def import_matplotlib(owner):
    """Import matplotlib, or say which package to install."""
    try:
        import matplotlib.figure
    except ImportError as error:
        raise ImportError(
            f"{owner}: got no matplotlib, but it draws the picture. "
            f"Run: pip install 'keras-attention-transformer[plot]'"
        ) from error
    return matplotlib


def require_enough(words):
    """Raise ValueError unless words span a plane."""
    if len(words) < 3:
        raise ValueError(
            f"plot_word_vectors: got {len(words)} words, but a plane through fewer "
            f"than 3 points says nothing. Give more words."
        )
