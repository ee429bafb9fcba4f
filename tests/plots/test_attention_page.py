"""The page holds the maps, and nothing that a sentence brings breaks out of it."""

import base64
import configparser
import json
import pathlib
import re
import types

import numpy as np
import pytest

from keras_attention.models.attention_maps import AttentionMaps
from keras_attention.plots.attention_page import TEMPLATE, attention_page, page
from tests.plots.test_attention_figure import random_maps

BREAKERS = ["</script><b>", "<!--", "'\"&", "{{data}}", "\u2028", "▁שלום", "\x00"]
DATA = r'<script type="application/json" id="data">(.*?)</script>'


def data_of(html):
    """What the page's script reads."""
    [text] = re.findall(DATA, html)
    return json.loads(text)


def weights_of(kind_data):
    steps = np.frombuffer(base64.b64decode(kind_data["weights"]), "uint8")
    shape = [kind_data[name] for name in ("layers", "heads")]
    shape += [len(kind_data[name]) for name in ("rows", "columns")]
    return steps.reshape(shape) / 255


def test_the_page_holds_every_map_and_piece():
    maps = random_maps()
    data = data_of(page(maps))["maps"]
    assert tuple(data) == maps.kinds
    for kind in maps.kinds:
        weights = weights_of(data[kind])
        np.testing.assert_allclose(weights, getattr(maps, kind), atol=1 / 510 + 1e-6)
        assert len(data[kind]["rows"]) == len(maps.rows(kind))
    assert data["cross"]["columns"][-1] == r"\n"


def test_sentences_stand_above_without_marks():
    maps = AttentionMaps(["▁a", "▁d", "og", "</s>"], encoder=np.ones((1, 1, 4, 4)) / 4)
    assert data_of(page(maps))["sentences"] == {"source": "a dog"}
    sentences = data_of(page(random_maps()))["sentences"]
    assert list(sentences) == ["source", "translation"]


@pytest.mark.parametrize("piece", BREAKERS)
def test_no_piece_breaks_out_of_the_page(piece):
    maps = AttentionMaps([piece, "a"], encoder=np.ones((1, 1, 2, 2)) / 2)
    harmless = page(AttentionMaps(["a", "a"], encoder=maps.encoder))
    html = page(maps)
    assert html.count("<") == harmless.count("<")
    shown = data_of(html)["maps"]["encoder"]["rows"][0]
    assert shown == (piece if piece.isprintable() else repr(piece)[1:-1])


def test_the_page_asks_for_nothing_from_a_network():
    html = page(random_maps())
    assert not re.search(r"https?:|//\w+\.|@import|url\(", html)
    assert "default-src 'none'" in html


def test_a_sentence_of_seventy_pieces_fits_into_a_megabyte():
    maps = {
        kind: np.full((6, 8, 70, 70), 1 / 70, "float32")
        for kind in ("encoder", "decoder", "cross")
    }
    assert len(page(AttentionMaps(["▁piece"] * 70, ["▁Stück"] * 70, **maps))) < 1e6
    assert len(page(random_maps())) < 30_000


def test_what_was_there_stays_until_the_new_page_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "new" / "attention.html"
    assert attention_page(random_maps(), path=path) == path
    before = path.read_text(encoding="utf-8")

    def fail(maps):
        raise MemoryError("too large")

    monkeypatch.setattr("keras_attention.plots.attention_page.page", fail)
    with pytest.raises(MemoryError, match="too large"):
        attention_page(random_maps(), path=path)
    assert path.read_text(encoding="utf-8") == before
    assert list(path.parent.iterdir()) == [path]


def test_the_template_is_installed_with_the_package():
    settings = configparser.ConfigParser()
    settings.read(pathlib.Path(__file__).parents[2] / "setup.cfg")
    pattern = settings["options.package_data"]["keras_attention.plots"]
    assert pathlib.PurePath(TEMPLATE).match(pattern)


def test_a_translator_needs_a_text(tmp_path):
    translator = types.SimpleNamespace(source_tokenizer=None)
    with pytest.raises(TypeError, match="attention_page: got a translator and the te"):
        attention_page(translator, path=tmp_path / "attention.html")


@pytest.mark.tensorflow
def test_a_translator_has_its_page_in_one_line(translator, tmp_path):
    path = attention_page(translator, "keras", tmp_path / "keras.html")
    data = data_of(path.read_text(encoding="utf-8"))["maps"]
    assert list(data) == ["encoder", "decoder", "cross"]
    assert (data["cross"]["layers"], data["cross"]["heads"]) == (2, 3)
    assert data["cross"]["columns"] == [*"keras", "</s>"]
