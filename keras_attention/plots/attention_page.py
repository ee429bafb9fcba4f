"""A translator and a text -> a page for a browser that shows where the model looks."""

import base64
import importlib.resources
import json
import pathlib

import numpy as np

from keras_attention.files.replaced_file import replaced_file
from keras_attention.plots.attention_figure import maps_of, visible

TEMPLATE = "attention_page.html"
# A weight is kept as one byte, so to 1 / 510.
STEPS = 255


def attention_page(attention, text=None, path="attention.html"):
    """Write one HTML file in which a sentence's attention can be explored.

    It takes a browser, and no network: choose the kind of attention, the layer and the
    head or the mean of all, and point at a piece to see where it looks and who looks at
    it. It works by keyboard and says all numbers to screen readers, too; in English or
    Korean, as the browser prefers or the reader chooses.

    Args:
        attention: A `Translator`, or `AttentionMaps`; of an exported translator
            `AttentionMaps.from_signature(outputs)`.
        text: For a translator, the sentence to translate; a str.
        path: Where the page is to be. What was there is replaced when the new one is
            whole. It has 25 kB, and 4 bytes for 3 weights: 1 MB for 6 layers of 8
            heads and a sentence of 70 pieces.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        TypeError: If there is no text for a translator, or one for `AttentionMaps`; or
            for something else than these two.
        ValueError: If the text has no pieces.

    Example:

    >>> import tempfile
    >>> maps = AttentionMaps(["a", "dog"], encoder=np.full((2, 3, 2, 2), 0.5))
    >>> attention_page(maps, path=f"{tempfile.mkdtemp()}/dog.html").name
    'dog.html'
    """
    maps = maps_of("attention_page", attention, text)
    path = pathlib.Path(path)
    with replaced_file(path) as aside:
        aside.write_text(page(maps), encoding="utf-8")
    return path


def page(maps):
    """`AttentionMaps` -> the HTML of the page."""
    sides = {"source": maps.source_pieces, "translation": maps.target_pieces}
    data = {
        "sentences": {side: plain(pieces) for side, pieces in sides.items() if pieces},
        "maps": {kind: kind_data(maps, kind) for kind in maps.kinds},
    }
    template = importlib.resources.files(__package__).joinpath(TEMPLATE)
    return template.read_text(encoding="utf-8").replace("{{data}}", script_json(data))


def kind_data(maps, kind):
    """What the page has to know of one kind of attention, for JSON."""
    weights = np.asarray(getattr(maps, kind), "float32")  # (L, N, T, S)
    steps = np.rint(np.clip(weights, 0, 1) * STEPS).astype("uint8")
    return {
        "rows": [visible(piece) for piece in maps.rows(kind)],
        "columns": [visible(piece) for piece in maps.columns(kind)],
        "layers": weights.shape[0],
        "heads": weights.shape[1],
        "weights": base64.b64encode(steps.tobytes()).decode(),
    }


def plain(pieces):
    """Pieces -> the sentence that they are of, for a title."""
    ends = {"<s>", "</s>", "<pad>"}
    return "".join(p for p in pieces if p not in ends).replace("\u2581", " ").strip()


def script_json(value):
    """JSON that can not end the script element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    escapes = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
    escapes |= {"\u2028": "\\u2028", "\u2029": "\\u2029"}
    return text.translate(str.maketrans(escapes))
