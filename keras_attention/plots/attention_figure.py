"""A translator and a text -> a picture of where the model looks."""

import numpy as np

from keras_attention.models.attention_maps import AttentionMaps
from keras_attention.plots.figure import new_figure
from keras_attention.plots.fonts import fonts_for

AXES = {
    "encoder": ("source, that looks", "source, that is looked at"),
    "decoder": ("next piece of the target", "target so far"),
    "cross": ("next piece of the target", "source, that is looked at"),
}

# Inches of a cell and points of its letters, in a picture of one map and of several.
ONE_MAP, SEVERAL_MAPS = (0.32, 10), (0.16, 6)
# Inches at most: neither screens nor files are made for more.
LARGEST = 40


def plot_attention(attention, text=None, kind="cross", layer=None, head=None):
    """Draw which pieces of a sentence a model looks at, the darker the more.

    Args:
        attention: A `Translator`, or `AttentionMaps`.
        text: For a translator, the sentence to translate; a str.
        kind: "cross", where the translation looks at the source; "encoder", where the
            source looks at itself; "decoder", where the translation looks at itself.
        layer: From 0; None for the mean of all, "all" for a map of each.
        head: From 0; None for the mean of all, "all" for a map of each.

    Returns:
        `matplotlib.figure.Figure`, layers one below the other, heads side by side; all
        maps have one scale. `savefig("attention.png")` writes it. Rows are what looks,
        and each sums to 1; in the decoder and in the cross-attention a row is the piece
        about to be written.

    Raises:
        TypeError: If there is no text for a translator, or one for `AttentionMaps`; or
            for something else than these two.
        ValueError: If the text has no pieces, or there is no such kind, layer or head.
        ImportError: If matplotlib is not installed.

    Example:

    >>> weights = np.array([[[[0.9, 0.1], [0.2, 0.8]]]])
    >>> maps = AttentionMaps(["a", "dog"], ["ein", "Hund"], cross=weights)
    >>> len(plot_attention(maps).axes)  # the map, and its scale
    2
    """
    owner = "plot_attention"
    maps = maps_of(owner, attention, text)
    require_kind(owner, kind, maps)
    layers = chosen(owner, "layer", layer, len(getattr(maps, kind)))
    heads = chosen(owner, "head", head, getattr(maps, kind).shape[1])
    return draw(owner, maps, kind, layers, heads)


def draw(owner, maps, kind, layers, heads):
    """One map for each layer and head -> a figure with a scale beside it."""
    rows = [visible(piece) for piece in maps.rows(kind)]
    columns = [visible(piece) for piece in maps.columns(kind)]
    matrices = [[maps.matrix(kind, layer, head) for head in heads] for layer in layers]
    several = len(layers) * len(heads) > 1
    cell, size = SEVERAL_MAPS if several else ONE_MAP
    width = len(heads) * (cell * len(columns) + 0.2) + labels_inches(rows, size) + 1.2
    height = len(layers) * (cell * len(rows) + 0.3) + labels_inches(columns, size) + 0.8
    shrink = min(1, LARGEST / max(width, height))
    figure = new_figure(owner, max(shrink * width, 4.5), max(shrink * height, 2.4))
    panels = figure.subplots(len(layers), len(heads), squeeze=False)
    text = {
        "fontfamily": fonts_for(owner, (*rows, *columns)),
        "fontsize": shrink * size,
        "parse_math": False,
    }
    for (row, column), axes in np.ndenumerate(panels):
        image = axes.imshow(
            matrices[row][column], cmap="Blues", vmin=0, vmax=np.max(matrices)
        )
        label(axes.xaxis, columns if row == 0 else [], text, rotation=slant(columns))
        label(axes.yaxis, rows if column == 0 else [], text)
        axes.xaxis.tick_top()
        if several:
            axes.set_title(named(layers[row], heads[column]), fontsize=size + 1)
    one_of_all = "" if several else f", {named(layers[0], heads[0])}"
    figure.suptitle(f"{kind.capitalize()} attention{one_of_all}", fontsize=11)
    figure.supylabel(AXES[kind][0], fontsize=9)
    figure.supxlabel(AXES[kind][1], fontsize=9)
    figure.colorbar(image, ax=panels, label="weight", shrink=0.8, aspect=30)
    return figure


def label(axis, pieces, text, **more):
    """Write pieces along an axis, one for each cell."""
    axis.set_ticks(range(len(pieces)), pieces, **text, **more)
    axis.set_tick_params(length=0)


def labels_inches(labels, size):
    """About how much room the longest of some labels takes at a size in points."""
    return 0.01 * size * max(len(label) for label in labels)


def slant(labels):
    """Degrees to turn labels that stand side by side: none for short ones."""
    return 0 if all(len(label) < 3 for label in labels) else 90


def visible(piece):
    """A piece with what can not be seen, such as a newline, as Python writes it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in piece)


def named(layer, head):
    """Which layer and head a map is of, in words."""
    if layer is None and head is None:
        return "mean of all layers and heads"
    layer = "mean of all layers" if layer is None else f"layer {layer}"
    return f"{layer}, {'mean of all heads' if head is None else f'head {head}'}"


def chosen(owner, name, choice, number):
    """A number, None or "all" -> the numbers or None of the maps to draw."""
    if choice == "all":
        return list(range(number))
    if choice is not None and choice not in range(number):
        raise ValueError(
            f"{owner}: got {name}={choice!r}, but the model has {number}, counted from "
            f"0. Use a number from 0 to {number - 1}, None for the mean of all, or "
            f"'all' for a map of each."
        )
    return [choice]


def maps_of(owner, attention, text):
    """A translator and a text, or maps as they are -> `AttentionMaps`."""
    if isinstance(attention, AttentionMaps):
        if text is not None:
            raise TypeError(
                f"{owner}: got AttentionMaps and the text {text!r}, but the maps are "
                f"of a text already. Leave the text out, or give a translator."
            )
        return attention
    if not hasattr(attention, "source_tokenizer"):
        raise TypeError(
            f"{owner}: got {type(attention).__name__}, but a Translator or "
            f"AttentionMaps say where a model looks. Of what an export's signature "
            f"answers, AttentionMaps.from_signature makes some."
        )
    if not isinstance(text, str):
        raise TypeError(
            f"{owner}: got a translator and the text {text!r}, but one sentence is "
            f"needed, a str, to see where the translator looks. Give a sentence."
        )
    [maps] = attention.attention_maps([text])
    if maps is None:
        raise ValueError(
            f"{owner}: got the text {text!r}, but it has no pieces to look at. Give a "
            f"sentence."
        )
    return maps


def require_kind(owner, kind, maps):
    """Raise ValueError unless there are maps of this kind."""
    if kind not in maps.kinds:
        raise ValueError(
            f"{owner}: got kind={kind!r}, but there are maps of "
            f"{', '.join(map(repr, maps.kinds))}. Use one of these."
        )
