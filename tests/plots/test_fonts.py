"""Every character finds a font, be it a moment old, or a word of warning."""

import pytest

from keras_attention.plots import fonts
from keras_attention.plots.fonts import fonts_for

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
from matplotlib import font_manager

OWN = "DejaVu Sans"


@pytest.fixture
def offer(monkeypatch):
    """Let matplotlib's list hold these fonts alone, and the disk those."""

    def offered(known, new=()):
        characters = {
            name: set(map(ord, text)) for name, text in {**known, **dict(new)}.items()
        }
        own = {ord(character) for character in "dog"}
        monkeypatch.setattr(fonts, "characters_of", lambda p: characters.get(p, own))
        listed = [font_manager.FontEntry(fname=name, name=name) for name in known]
        monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
        monkeypatch.setattr(
            font_manager.fontManager,
            "addfont",
            lambda path: listed.append(font_manager.FontEntry(fname=path, name=path)),
        )
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: list(dict(new)))

    return offered


def test_what_the_own_font_has_needs_no_other():
    assert fonts_for("Bird", ["dog"]) == [OWN]


def test_an_installed_font_that_has_the_characters_is_taken(offer):
    offer({"Last Resort": "개", "latin": "dog", "hangul": "개"})
    assert fonts_for("Bird", ["d개"]) == [OWN, "hangul"]


def test_two_scripts_take_two_fonts(offer):
    offer({"hangul": "개도", "arabic": "كلب"})
    assert fonts_for("Bird", ["개도", "كلب"]) == [OWN, "arabic", "hangul"]


def test_a_font_installed_since_is_found(offer):
    offer({"latin": "dog"}, {"hangul": "개"})
    assert fonts_for("Bird", ["개"]) == [OWN, "hangul"]


def test_a_file_that_is_no_font_is_passed_over(offer, monkeypatch):
    offer({"latin": "dog"}, {"emoji": "개"})

    def refuse(path):
        raise RuntimeError("no outlines")

    monkeypatch.setattr(font_manager.fontManager, "addfont", refuse)
    with pytest.warns(UserWarning, match="no installed font"):
        assert fonts_for("Bird", ["개"]) == [OWN]


def test_a_font_that_has_gone_since_it_was_listed_is_passed_over(monkeypatch):
    gone = font_manager.FontEntry(fname="/nowhere/gone.ttf", name="gone")
    listed = [gone, *font_manager.fontManager.ttflist]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
    with pytest.warns(UserWarning, match="no installed font"):
        assert fonts_for("Bird", ["\uf8f0"]) == [OWN]


def test_without_such_a_font_it_is_said_which_to_install():
    # A private character, which no font has.
    message = r"Bird: got .*U\+F8F0.*no installed font.*fonts-noto-cjk.*fonts-nanum"
    with pytest.warns(UserWarning, match=message):
        assert fonts_for("Bird", ["\uf8f0"]) == [OWN]
