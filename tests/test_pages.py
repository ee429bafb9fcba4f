"""The code of the pages runs, and the commands on them know their options."""

import pathlib
import re
import shlex

import pytest

import keras_attention as ka
from keras_attention.models.transformer import PRESETS
from keras_attention_cli.main import parse

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README*.md")]
)
# Pages that are one program, from the first block to the last.
PROGRAMS = ["translate", "layers", "tune"]

SENTENCES = {
    "train.en": ["A dog runs.", "A cat sleeps.", "The dog sleeps.", "A bird sings."],
    "train.de": [
        "Ein Hund rennt.",
        "Eine Katze schläft.",
        "Der Hund schläft.",
        "Ein Vogel singt.",
    ],
}


def blocks(page, language):
    """The blocks of code of a page in one language, in their order."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(page):
    """Each command of a page's shell blocks, as words; without what it is piped to."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.split("#")[0], comments=True)
            for name in ("keras-attention", "python"):
                if name in words:
                    command = words[words.index(name) :]
                    ends = [i for i, word in enumerate(command) if word in "|<>&"]
                    yield command[: min(ends, default=len(command))]


def without_comments(code):
    return [re.sub(r"\s*#.*", "", line) for line in code.splitlines()]


def random_ids(count, seed):
    """Pairs of sentences as token ids, each target its source reversed."""
    import numpy as np

    rng = np.random.default_rng(seed)
    sources = [rng.integers(4, 50, rng.integers(2, 7)).tolist() for _ in range(count)]
    return sources, [source[::-1] for source in sources]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "layers" else pytest.mark.tensorflow)
        for name in PROGRAMS
    ],
)
def test_the_code_of_a_page_runs(name, tmp_path, monkeypatch):
    if name == "tune":
        pytest.importorskip("keras_tuner")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PRESETS["tiny"], "num_layers", 1)  # which is quicker
    for file, lines in SENTENCES.items():
        pathlib.Path(file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = {"train_ids": random_ids(30, seed=0), "valid_ids": random_ids(10, seed=1)}
    code = blocks(ROOT / "docs" / f"{name}.md", "python")
    assert code
    for block in code:
        exec(block, names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_know_their_options(page):
    for program, *words in commands(page):
        if program == "keras-attention" and not words[-1].startswith("--help"):
            parse(words)  # exits where it does not know one
        elif words and words[0].endswith(".py"):
            # Options may be shared by the files of a folder.
            files = (ROOT / words[0]).parent.glob("*.py")
            code = "".join(file.read_text(encoding="utf-8") for file in files)
            options = [word.split("=")[0] for word in words if word.startswith("--")]
            assert not [option for option in options if f'"{option}"' not in code]


def test_every_public_name_is_in_the_reference():
    pages = ROOT.glob("docs/reference/*.md")
    shown = {
        name
        for page in pages
        for name in re.findall(r"^::: (.*)", page.read_text(), re.M)
    }
    modules = {
        name: ka.ON_USE.get(name) or getattr(ka, name).__module__ for name in ka.__all__
    }
    assert not {f"{module}.{name}" for name, module in modules.items()} - shown


@pytest.mark.parametrize(
    "korean",
    [page for page in PAGES if page.name.endswith(".ko.md")],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_both_languages_show_the_same_code(korean):
    english = korean.with_name(korean.name.replace(".ko.md", ".md"))
    for language in ("python", "sh"):
        pairs = zip(blocks(english, language), blocks(korean, language), strict=True)
        for one, other in pairs:
            assert without_comments(one) == without_comments(other)
