import io
import types

import numpy as np
import pytest

from keras_attention.models.attention_maps import AttentionMaps
from keras_attention.plots.attention_figure import plot_attention
from keras_attention.plots.fonts import characters_of, known_font_with_most

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
from matplotlib import font_manager

SOURCE = ["개가", "달린다", "$x$", "</s>", "\n"]
TARGET = ["A", "_dog^", "</s>"]


def random_maps(source=SOURCE, target=TARGET):
    generator = np.random.default_rng(0)
    s, t = len(source), len(target)
    shapes = {"encoder": (s, s), "decoder": (t, t), "cross": (t, s)}
    weights = {k: generator.random((2, 3, *size)) for k, size in shapes.items()}
    return AttentionMaps(
        source, target, **{k: w / w.sum(-1, keepdims=True) for k, w in weights.items()}
    )


def labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def panels(figure):
    return [axes for axes in figure.axes if axes.images and axes.get_label() == ""]


def drawn(axes):
    return np.asarray(axes.images[0].get_array())


def test_one_map_is_the_mean_with_pieces_on_its_axes():
    maps = random_maps()
    [axes] = panels(plot_attention(maps))
    np.testing.assert_allclose(drawn(axes), maps.cross.mean(axis=(0, 1)))
    assert labels(axes.yaxis) == TARGET
    assert labels(axes.xaxis) == [*SOURCE[:-1], r"\n"]


def test_every_layer_and_head_has_its_map_on_one_scale():
    maps = random_maps()
    figure = plot_attention(maps, kind="decoder", layer="all", head="all")
    for number, axes in enumerate(panels(figure)):
        layer, head = divmod(number, 3)
        np.testing.assert_allclose(drawn(axes), maps.decoder[layer, head])
        assert axes.get_title() == f"layer {layer}, head {head}"
        assert axes.images[0].get_clim() == (0, maps.decoder.max())
    assert number == 5
    assert labels(panels(figure)[0].xaxis) == ["<s>", "A", "_dog^"]


@pytest.mark.parametrize(
    "layer, head, title",
    [
        (None, None, "Encoder attention, mean of all layers and heads"),
        (1, None, "Encoder attention, layer 1, mean of all heads"),
        (None, 2, "Encoder attention, mean of all layers, head 2"),
        (1, 2, "Encoder attention, layer 1, head 2"),
    ],
)
def test_one_head_can_be_chosen_or_the_mean(layer, head, title):
    maps = random_maps()
    figure = plot_attention(maps, kind="encoder", layer=layer, head=head)
    [axes] = panels(figure)
    np.testing.assert_allclose(drawn(axes), maps.matrix("encoder", layer, head))
    assert figure.get_suptitle() == title


def test_layers_of_the_mean_of_heads_stand_below_each_other():
    figure = plot_attention(random_maps(), layer="all")
    titles = [axes.get_title() for axes in panels(figure)]
    assert titles == ["layer 0, mean of all heads", "layer 1, mean of all heads"]


def test_hangul_is_drawn_in_a_font_that_has_it():
    if not known_font_with_most({ord("개")}):
        pytest.skip("no font with Hangul: apt-get install fonts-nanum")
    figure = plot_attention(random_maps())
    [axes] = panels(figure)
    families = axes.get_xticklabels()[0].get_fontfamily()
    found = [characters_of(font_manager.findfont(family)) for family in families]
    assert set(map(ord, "개가달린다")) <= set().union(*found)
    figure.savefig(io.BytesIO())  # A glyph that is missing would warn, and so fail.


def test_a_long_sentence_fits_into_a_picture():
    pieces = ["long"] * 150
    maps = AttentionMaps(pieces, encoder=np.full((1, 1, 150, 150), 1 / 150))
    figure = plot_attention(maps, kind="encoder")
    assert max(figure.get_size_inches()) <= 40


@pytest.mark.parametrize(
    "choice, message",
    [
        ({"kind": "self"}, "got kind='self', but there are maps of 'encoder', "),
        ({"layer": 2}, "got layer=2, but the model has 2, .* 0 to 1"),
        ({"head": -1}, "got head=-1, but the model has 3, .* 0 to 2"),
        ({"head": "mean"}, "got head='mean'"),
    ],
)
def test_what_there_is_not_is_refused(choice, message):
    with pytest.raises(ValueError, match=f"plot_attention: {message}"):
        plot_attention(random_maps(), **choice)


def test_maps_have_their_text_already():
    with pytest.raises(TypeError, match="plot_attention: got AttentionMaps and .*'a'"):
        plot_attention(random_maps(), "a")


@pytest.mark.parametrize("text", [None, ["a dog"]])
def test_a_translator_needs_a_text(text):
    with pytest.raises(TypeError, match="plot_attention: got a translator and the te"):
        plot_attention(types.SimpleNamespace(source_tokenizer=None), text)


def test_what_says_nothing_of_attention_is_refused():
    with pytest.raises(TypeError, match="plot_attention: got dict, .*from_signature"):
        plot_attention({"text": ["a"]})


@pytest.mark.tensorflow
def test_a_translator_is_drawn_in_one_line(translator):
    maps = translator.attention_maps(["keras"])[0]
    [axes] = panels(plot_attention(translator, "keras"))
    np.testing.assert_allclose(drawn(axes), maps.cross.mean(axis=(0, 1)), atol=1e-6)
    assert labels(axes.xaxis) == [*"keras", "</s>"]
    with pytest.raises(ValueError, match="got the text ' ', but it has no pieces"):
        plot_attention(translator, " ")
