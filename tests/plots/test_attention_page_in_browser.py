"""The page in a real browser: by pointer, by keyboard, by ear, and in the dark.

Needs the Python package playwright, which is in the extra `test`, and Chromium.
"""

import functools
import pathlib
import runpy
import shutil

import numpy as np
import pytest

from keras_attention.models.attention_maps import AttentionMaps
from keras_attention.plots.attention_page import attention_page

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install playwright"
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "microsoft-edge")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason=f"none of {', '.join(NAMES)} is on the PATH: apt-get install chromium, or "
    f"brew install --cask chromium",
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


@pytest.fixture(scope="module")
def tabs(browser):
    """A tab for each language of a reader, and what they complain of or ask for."""
    noted = []

    @functools.cache
    def tab(locale):
        page = browser.new_page(locale=locale)
        page.set_default_timeout(20_000)
        page.on("console", lambda message: noted.append(message.text))
        page.on("pageerror", lambda error: noted.append(str(error)))
        page.on("dialog", lambda dialog: noted.append(dialog.message))
        page.on("request", lambda request: noted.append(request.url))
        return page

    return tab, noted


@pytest.fixture
def open_page(tabs, path):
    """Open the page; at the end nothing was complained of or asked for but it."""
    tab, noted = tabs
    noted.clear()
    addresses = []

    def opened(width=1100, scheme="light", locale="en-GB", path=path, part=""):
        page = tab(locale)
        page.goto("about:blank")
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        page.mouse.move(0, 0)
        page.goto(path.as_uri() + part)
        addresses.append(path.as_uri())
        return page

    yield opened
    assert noted == addresses


def readout(page):
    return page.locator("#readout").inner_text().replace("\u00a0", " ")


def pick(page, group, choice):
    """Click on a kind of attention, a layer or a head."""
    page.get_by_role("group", name=group).get_by_text(choice, exact=True).click()


def option(page, side, index):
    return page.locator(f"#{side} [role=option]").nth(index)


def cell(page, row, column):
    """Where a cell of the heat map is, in pixels from the map's edge."""
    layout = page.evaluate("layout")
    return {
        "x": layout["left"] + layout["cell"] * (column + 0.5),
        "y": layout["top"] + layout["cell"] * (row + 0.5),
    }


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
    page.locator("#map").hover(position=cell(page, 3, 3))
    assert readout(page) == "“달린다” looks at “달린다”: 92 %"


def test_everything_works_by_keyboard(open_page):
    page = open_page()
    press = page.keyboard.press
    press("Tab")  # English
    press("Tab")  # Korean
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
    assert page.get_by_role("table").get_by_role("cell").nth(1).inner_text()[:2] == "92"
    assert page.get_by_role("rowheader", name="</script><b>").is_visible()


def test_right_to_left_pieces_and_sentences_keep_their_direction(open_page):
    page = open_page()
    direction = "node => getComputedStyle(node).direction"
    assert option(page, "rows", 0).locator("bdi").evaluate(direction) == "rtl"
    assert option(page, "rows", 1).locator("bdi").evaluate(direction) == "ltr"
    assert page.locator("#sentences dd").nth(1).evaluate(direction) == "rtl"


@pytest.mark.parametrize("width", [1100, 320])
def test_nothing_is_wider_than_the_window(open_page, width):
    page = open_page(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_is_said_stays_in_sight_on_a_telephone(open_page):
    page = open_page(width=320)
    page.locator("#map").click(position=cell(page, 3, 0))
    assert page.evaluate("scrollY") > 0
    playwright.expect(page.locator("#readout")).to_be_in_viewport(ratio=1)


def test_the_page_is_dark_where_the_reader_wants_it_so(open_page):
    color = "getComputedStyle(document.body).backgroundColor"
    assert open_page(scheme="light").evaluate(color) == "rgb(244, 245, 247)"
    page = open_page(scheme="dark")
    assert page.evaluate(color) == "rgb(14, 17, 22)"
    page.emulate_media(color_scheme="light")  # also while it is open
    assert page.evaluate(color) == "rgb(244, 245, 247)"


@pytest.mark.parametrize(("part", "language"), [("", "ko"), ("#en", "en")])
def test_the_page_speaks_korean_to_koreans_unless_told(open_page, part, language):
    page = open_page(locale="ko-KR", part=part)
    assert page.locator("html").get_attribute("lang") == language
    current = page.get_by_role("navigation").locator("[aria-current]")
    assert current.get_attribute("lang") == language


@pytest.mark.parametrize(
    ("languages", "language"),
    [(["de-DE", "ko"], "ko"), (["de-DE"], "en"), (["toString", "en-GB"], "en")],
)
def test_the_first_language_that_the_page_knows_is_spoken(
    open_page, languages, language
):
    page = open_page()
    prefer = "(all) => Object.defineProperty(navigator, 'languages', { value: all })"
    page.evaluate(prefer, languages)
    assert page.evaluate("language()") == language


def test_the_language_is_switched_by_keyboard_and_the_choice_stays(open_page):
    page = open_page()
    assert page.title() == "Attention: 개가 눈 속에서 달린다"
    pick(page, "Layer", "1")
    option(page, "rows", 1).click()
    page.mouse.move(0, 0)
    page.get_by_role("link", name="한국어").focus()
    page.keyboard.press("Enter")
    # The page hears of its new address a moment after the key, so it is waited for.
    playwright.expect(page.get_by_role("heading", level=1)).to_have_text(
        "모델이 보는 곳"
    )
    assert page.title() == "어텐션: 개가 눈 속에서 달린다"
    assert page.locator("a:focus").inner_text() == "한국어"
    title = page.locator("#links-title").inner_text()
    assert title == "크로스 어텐션, 1번 층, 모든 헤드의 평균"
    assert readout(page).startswith("“</script><b>” 조각이 보는 곳: “속에서” 32 %, ")
    page.get_by_role("link", name="English").click()
    title = page.locator("#links-title")
    playwright.expect(title).to_contain_text("Cross attention, layer 1")
    page.go_back()
    assert page.url.endswith("#ko")
    assert page.get_by_role("group", name="헤드").is_visible()


def test_both_languages_say_all_and_leave_the_pieces_their_own(open_page):
    page = open_page()
    keys = "Object.values(TEXTS).map((texts) => Object.keys(texts).sort().join())"
    assert len(set(page.evaluate(keys))) == 1
    named = "[...document.querySelectorAll('[data-text], [data-label]')]"
    says = "(one) => TEXTS.ko[one.dataset.text ?? one.dataset.label]"
    assert page.evaluate(f"{named}.every({says})")
    option(page, "rows", 1).click()
    pieces = page.locator("#sentences dd, #rows bdi, #columns bdi, #readout bdi")
    assert pieces.count() > 12
    assert pieces.evaluate_all("all => all.every((one) => one.lang === '')")
    assert pieces.evaluate_all("all => all.every((one) => one.hasAttribute('lang'))")


def test_the_pictures_of_the_documentation_are_taken(browser, path, tmp_path):
    images = pathlib.Path(__file__).parents[2] / "docs" / "images"
    script = runpy.run_path(str(images / "attention_page.py"))
    script["take"](browser, path, tmp_path)
    for picture in script["PICTURES"].values():
        assert (tmp_path / picture).is_file() and (images / picture).is_file()


def test_one_map_needs_no_choice(open_page, tmp_path):
    maps = AttentionMaps(SOURCE, TARGET, cross=np.full((1, 1, 4, 5), 0.2))
    page = open_page(path=attention_page(maps, path=tmp_path / "one.html"))
    assert not page.locator("fieldset:visible").count()
    option(page, "columns", 0).click()
    assert readout(page).count("20 %") == 4
