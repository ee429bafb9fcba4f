"""The page in a real browser: by pointer, by keyboard, by ear, and in the dark.

Needs the Python package playwright and Chromium (Debian: apt-get install chromium).
"""

import re
import shutil

import numpy as np
import pytest

from keras_attention.models.attention_maps import AttentionMaps
from keras_attention.plots.attention_page import attention_page

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed"
)
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium: apt-get install chromium"
)

# As root in a container there is no sandbox; the others keep it off the network.
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()

SOURCE = ["▁개가", "▁눈", "▁속에서", "▁달린다", "</s>"]
TARGET = ["▁שלום", "</script><b>", "▁\"dog'", "</s>"]


def made_maps():
    """Heads that look at one piece by 9 parts of 10, another one for each head."""
    size = {"encoder": (5, 5), "decoder": (4, 4), "cross": (4, 5)}
    weights = {kind: np.full((2, 3, *one), 0.0) for kind, one in size.items()}
    for kind, (rows, columns) in size.items():
        weights[kind] += 0.1 / columns
        for layer, head, row in np.ndindex(2, 3, rows):
            weights[kind][layer, head, row, (row + layer + head) % columns] += 0.9
    return AttentionMaps(SOURCE, TARGET, **weights)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return attention_page(made_maps(), path=tmp_path_factory.mktemp("page") / "a.html")


@pytest.fixture
def open_page(browser, path):
    """Open the page; at the end nothing was complained of, and no one else asked."""
    problems, pages, asked = [], [], []

    def opened(width=1100, scheme="light", path=path):
        page = browser.new_page(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        page.set_default_timeout(20_000)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        pages.append((page, path.as_uri()))
        return page

    yield opened
    for page, _ in pages:
        page.close()
    assert problems == []
    assert asked == [address for _, address in pages]


def readout(page):
    """What is said, without the marks that isolate right-to-left text."""
    return re.sub("[\u2068\u2069]", "", page.locator("#readout").inner_text())


def pick(page, group, choice):
    """Click on a kind of attention, a layer or a head."""
    page.get_by_role("group", name=group).get_by_text(choice, exact=True).click()


def option(page, side, index):
    return page.locator(f"#{side} [role=option]").nth(index)


def test_the_pointer_shows_where_a_piece_looks(open_page):
    page = open_page()
    assert readout(page).startswith("Point at a piece")
    pick(page, "Layer", "1")
    pick(page, "Head", "2")
    option(page, "rows", 1).hover()
    assert readout(page).startswith("“</script><b>” looks at “</s>” 92 %, “개가” 2 %")
    assert option(page, "columns", 4).inner_text().split() == ["</s>", "92", "%"]
    option(page, "columns", 3).hover()
    assert readout(page).startswith("“달린다” is looked at by “שלום” 92 %")
    page.mouse.move(0, 0)
    assert readout(page).startswith("Point at a piece")


def test_a_click_stays_until_the_next_or_escape(open_page):
    page = open_page()
    option(page, "rows", 2).click()
    page.mouse.move(0, 0)
    assert readout(page).startswith("“\"dog'” looks at")
    assert option(page, "rows", 2).get_attribute("aria-selected") == "true"
    page.keyboard.press("Escape")
    assert readout(page).startswith("Point at a piece")


def test_the_heat_map_answers_by_cell(open_page):
    page = open_page()
    pick(page, "Attention", "Encoder")
    pick(page, "Head", "0")
    pick(page, "Layer", "0")
    layout = page.evaluate("layout")
    at = {
        axis: layout[edge] + layout["cell"] * (index + 0.5)
        for axis, edge, index in (("x", "left", 3), ("y", "top", 3))
    }
    page.locator("#map").hover(position=at)
    assert readout(page) == "“달린다” looks at “달린다”: 92 %"


def test_everything_works_by_keyboard(open_page):
    page = open_page()
    press = page.keyboard.press
    press("Tab")  # the kind of attention
    press("ArrowRight")
    assert page.locator("input:focus").get_attribute("value") == "encoder"
    press("Tab")
    press("ArrowRight")  # layer 0
    press("Tab")
    press("ArrowLeft")  # before the mean comes the last head
    title = page.locator("#links-title").inner_text()
    assert title == "Encoder attention, layer 0, head 2"
    press("Tab")  # the pieces that look
    press("ArrowDown")
    press("ArrowDown")
    assert readout(page).startswith("“눈” looks at “달린다” 92 %")
    active = page.locator("#rows").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    press("Tab")  # the pieces that are looked at
    press("End")
    assert readout(page).startswith("“</s>” is looked at by “속에서” 92 %")
    press("Home")
    assert readout(page).startswith("“개가” is looked at by “달린다” 92 %")
    press("Escape")
    press("Tab")  # the heat map, which can be scrolled
    press("Tab")
    press("Enter")
    page.get_by_role("table").wait_for()


def test_a_screen_reader_finds_names_and_numbers(open_page):
    page = open_page()
    assert page.get_by_role("heading", level=1).inner_text() == "Where the model looks"
    for group in ("Attention", "Layer", "Head"):
        assert page.get_by_role("group", name=group).is_visible()
    assert page.get_by_role("radio", name="Decoder").count() == 1
    assert page.get_by_role("listbox", name="Source").get_by_role("option").count() == 5
    assert page.get_by_role("status").get_attribute("aria-live") == "polite"
    assert page.get_by_role("img", name="Heat map: Cross attention, mean").count() == 1
    # The mark of a word's beginning is not read out.
    assert page.get_by_role("option", name="개가", exact=True).count() == 1
    page.get_by_text("The numbers as a table").click()
    page.get_by_role("table").wait_for()
    cells = page.get_by_role("table").get_by_role("cell").all_inner_texts()
    assert len(cells) == 1 + 4 * 5
    pick(page, "Layer", "0")
    pick(page, "Head", "0")
    assert page.get_by_role("table").get_by_role("cell").nth(1).inner_text() == "92 %"
    assert page.get_by_role("rowheader", name="</script><b>").is_visible()


def test_right_to_left_pieces_and_sentences_keep_their_direction(open_page):
    page = open_page()
    direction = "node => getComputedStyle(node).direction"
    assert option(page, "rows", 0).locator("bdi").evaluate(direction) == "rtl"
    assert option(page, "rows", 1).locator("bdi").evaluate(direction) == "ltr"
    assert page.locator("#sentences dd").nth(1).evaluate(direction) == "rtl"


@pytest.mark.parametrize("width", [1100, 360])
def test_nothing_is_wider_than_the_window(open_page, width):
    page = open_page(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_is_dark_where_the_reader_wants_it_so(open_page):
    color = "getComputedStyle(document.body).backgroundColor"
    light, dark = open_page(), open_page(scheme="dark")
    assert light.evaluate(color) == "rgb(244, 245, 247)"
    assert dark.evaluate(color) == "rgb(14, 17, 22)"
    light.emulate_media(color_scheme="dark")  # also while it is open
    assert light.evaluate(color) == dark.evaluate(color)


def test_one_map_needs_no_choice(open_page, tmp_path):
    maps = AttentionMaps(SOURCE, TARGET, cross=np.full((1, 1, 4, 5), 0.2))
    page = open_page(path=attention_page(maps, path=tmp_path / "one.html"))
    assert not page.locator("fieldset:visible").count()
    option(page, "columns", 0).click()
    assert readout(page).count("20 %") == 4
