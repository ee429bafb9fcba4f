"""Take the pictures of the page to explore attention, in English and in Korean.

They are those of docs/plots.md and docs/plots.ko.md, of the guide's model:

    python docs/images/attention_page.py

It takes playwright, which is in the extra `test`, and Debian's chromium; where there is
none, the one that `playwright install chromium` brings.
"""

import pathlib
import shutil
import tempfile

from playwright.sync_api import sync_playwright

import keras_attention as ka

IMAGES = pathlib.Path(__file__).resolve().parent
PICTURES = {"en": "attention_page.png", "ko": "attention_page_ko.png"}


def main():
    translator = ka.Translator.load(IMAGES.parent / "guide_model")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        path = ka.attention_page(translator, "phone", f"{folder}/phone.html")
        browser = started.chromium.launch(executable_path=shutil.which("chromium"))
        take(browser, path, IMAGES)
        browser.close()


def take(browser, path, folder):
    """Photograph a page in each language, with its first piece chosen."""
    size = {"width": 1000, "height": 600}
    page = browser.new_page(viewport=size, color_scheme="light")
    for language, picture in PICTURES.items():
        page.goto(f"{path.as_uri()}#{language}")
        page.reload()  # nothing is chosen any more
        page.locator("#rows [role=option]").first.click()
        page.mouse.move(0, 0)
        page.screenshot(path=folder / picture)
    page.close()


if __name__ == "__main__":
    main()
