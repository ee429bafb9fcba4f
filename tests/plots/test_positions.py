import numpy as np
import pytest
from keras import ops

from keras_attention.layers.learned_positional_encoding import LearnedPositionalEncoding
from keras_attention.layers.positional_encoding import PositionalEncoding, sinusoid
from keras_attention.plots.positions import cosines, plot_positions

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def test_what_is_drawn_is_what_the_layer_adds():
    figure = plot_positions(PositionalEncoding(), length=7, d_model=5)
    encodings, likeness = [axes.images[0].get_array() for axes in figure.axes[:2]]
    expected = ops.convert_to_numpy(sinusoid(np.arange(7.0), 5))
    np.testing.assert_allclose(encodings, expected, atol=1e-6)
    np.testing.assert_allclose(likeness, cosines(expected), atol=1e-6)


def test_learned_positions_are_drawn_alike():
    layer = LearnedPositionalEncoding(max_length=11, dtype="mixed_bfloat16")
    figure = plot_positions(layer, length=7, d_model=5)
    assert figure.axes[0].images[0].get_array().shape == (7, 5)


def test_positions_without_any_encoding_are_white():
    figure = plot_positions(lambda x: x, length=3, d_model=5)
    assert not figure.axes[0].images[0].get_array().any()


def test_the_cosine_is_that_of_the_definition():
    vectors = np.random.default_rng(0).normal(size=(5, 3))
    found = cosines(vectors)
    for i in range(5):
        for j in range(5):
            product = vectors[i] @ vectors[j]
            lengths = np.sqrt((vectors[i] ** 2).sum() * (vectors[j] ** 2).sum())
            np.testing.assert_allclose(found[i, j], product / lengths)


def test_no_position_is_refused():
    with pytest.raises(ValueError, match="plot_positions: got length=0"):
        plot_positions(PositionalEncoding(), length=0)
