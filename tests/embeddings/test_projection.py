import io
import sys
import warnings

import numpy as np
import pytest

from keras_attention.embeddings.projection import (
    fonts_for,
    plot_word_vectors,
    principal_components,
)

WORDS = ["dog", "cat", "$sky$", "_a^b"]


@pytest.fixture
def vectors():
    """All that the picture needs of word vectors: one for each word."""
    generator = np.random.default_rng(0)
    return {word: generator.normal(size=7) for word in WORDS}


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def test_components_are_the_eigenvectors_of_the_covariance():
    matrix = np.random.default_rng(0).normal(size=(13, 5)) * [5, 4, 3, 2, 1]
    points, shares = principal_components(matrix)
    covariance = np.cov(matrix, rowvar=False)
    values, directions = np.linalg.eigh(covariance)
    expected = (matrix - matrix.mean(axis=0)) @ directions[:, [-1, -2]]
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(shares, values[[-1, -2]] / values.sum())


def test_a_direction_points_where_its_greatest_number_is_positive():
    matrix = np.array([[0.0, 0], [-3, 1], [-6, 0]])
    points, _ = principal_components(matrix, 1)
    assert points[0, 0] > 0 > points[2, 0]


def test_equal_vectors_have_no_variance():
    points, shares = principal_components(np.ones((3, 2)))
    np.testing.assert_array_equal(points, np.zeros((3, 2)))
    np.testing.assert_array_equal(shares, [0, 0])


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


def test_an_installed_font_that_has_the_characters_is_taken(monkeypatch, matplotlib):
    from matplotlib import font_manager

    (family,) = fonts_for("Bird", ["dog"])
    assert family == "DejaVu Sans"
    offered = {"own": {ord("d")}, "Last Resort": {ord("개")}, "hangul": {ord("개")}}
    entries = [font_manager.FontEntry(fname=name, name=name) for name in offered]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", entries)
    monkeypatch.setattr(
        "keras_attention.embeddings.projection.characters_of",
        lambda path: offered.get(path, offered["own"]),
    )
    assert fonts_for("Bird", ["d개"]) == ["DejaVu Sans", "hangul"]


def test_without_such_a_font_it_is_said_which_to_install(matplotlib):
    # A private character, which no font has.
    message = r"Bird: got .*U\+F8F0.*no installed font.*fonts-noto-cjk.*fonts-nanum"
    with pytest.warns(UserWarning, match=message):
        assert fonts_for("Bird", ["\uf8f0"]) == ["DejaVu Sans"]


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


def test_without_matplotlib_it_is_said_what_to_install(vectors, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = r"plot_word_vectors: got no matplotlib.*transformer\[plot\]"
    with pytest.raises(ImportError, match=message):
        plot_word_vectors(vectors, WORDS)
