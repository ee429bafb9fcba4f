import io
import warnings

import numpy as np
import pytest

from keras_attention.embeddings.projection import principal_components
from keras_attention.plots.word_vectors import plot_word_vectors

WORDS = ["dog", "cat", "$sky$", "_a^b"]


@pytest.fixture
def vectors():
    """All that the picture needs of word vectors: one for each word."""
    generator = np.random.default_rng(0)
    return {word: generator.normal(size=7) for word in WORDS}


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def test_each_word_stands_beside_its_point(vectors, matplotlib):
    figure = plot_word_vectors(vectors, WORDS)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == WORDS
    points, shares = principal_components(np.stack(list(vectors.values())))
    np.testing.assert_allclose(axes.collections[0].get_offsets(), points)
    np.testing.assert_allclose([text.xy for text in axes.texts], points)
    assert f"{shares[0]:.0%} of the variance" in axes.get_xlabel()
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    assert picture.getvalue().startswith(b"\x89PNG")


def test_hangul_is_drawn_without_boxes_or_with_a_warning(vectors, matplotlib):
    korean = {f"개{index}": vector for index, vector in enumerate(vectors.values())}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plot_word_vectors(korean, list(korean)).savefig(io.BytesIO())
    told = [str(warning.message) for warning in caught]
    assert not told or told[0].startswith("plot_word_vectors: got '개' (U+AC1C)")


def test_fewer_than_three_words_are_refused(vectors):
    with pytest.raises(ValueError, match="plot_word_vectors: got 2 words, but a plane"):
        plot_word_vectors(vectors, WORDS[:2])


def test_a_word_without_a_vector_is_named(vectors, matplotlib):
    with pytest.raises(KeyError, match="unicorn"):
        plot_word_vectors(vectors, [*WORDS, "unicorn"])
