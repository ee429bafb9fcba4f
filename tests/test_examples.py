"""The examples run from start to end, on a text of a few lines.

The others are run elsewhere: attention_step_by_step.py in test_guide.py, those of
`serving` in test_serving_example.py.
"""

import contextlib
import importlib
import io
import itertools
import pathlib
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.tensorflow

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run an example as from a command line: what it printed."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", run_here)

    def run(name, *options):
        example = importlib.import_module(name)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *options])
        example.main()
        return capsys.readouterr().out

    return run


def run_here(command, check=False, **options):
    """Do `python -c program ...` in this process, which has imported TensorFlow."""
    _, _, program, *arguments = command
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")  # The programs set it.
        patch.setattr(sys, "argv", ["-c", *arguments])
        with contextlib.redirect_stdout(printed if options else sys.stdout):
            exec(program, {})
    return subprocess.CompletedProcess(command, 0, printed.getvalue(), "")


def write(path, *words):
    """A file of all sentences that take one word of each list."""
    lines = [" ".join(sentence) for sentence in itertools.product(*words)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def captions(tmp_path):
    write(
        tmp_path / "captions.txt",
        ["A man", "A woman"],
        ["holds", "sees", "paints", "draws", "finds"],
        ["a red ball", "the small dog", "an old boat", "two green hats"],
        ["."],
    )
    return "captions.txt"


def test_classify(run, captions):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    printed = run(
        *("classify", "--text", captions, "--model-type", "char"),
        *("--epochs", "1", "--layers", "1", "--d-model", "8"),
    )
    assert "36 texts to learn from, 2 held out" in printed
    for name in ("always the most frequent", "linear, on runs of letters", "encoder"):
        assert re.search(rf"{name} +\d+\.0%", printed)
    asked = r"  (man|woman) \(\d+%\): a _ \w+ .* \."
    assert len(re.findall(asked, printed)) == 2


def test_language_model(run, captions):
    printed = run(
        *("language_model", "--text", captions, "--model-type", "char"),
        *("--epochs", "1", "--layers", "1", "--d-model", "8", "--max-length", "36"),
        *("--prompts", "a man"),
    )
    assert "36 lines to learn from, 2 held out" in printed
    assert re.search(r"perplexity of a token, held out: \d+\.\d\d\n", printed)
    assert re.search(r"bits for each character, held out: \d\.\d{3}\n", printed)
    assert len(re.findall("  a man.*", printed)) == 3
    assert re.search("of 200 texts without a prompt, [01] are lines", printed)
    assert re.findall("  seed (.): a man", printed) == ["1", "2"]


def test_elmo(run, tmp_path):
    pytest.importorskip("gensim", reason="gensim is not installed")
    write(
        tmp_path / "news.txt",
        ["the", "a"],
        ["australia", "afghanistan", "government", "police", "day", "year"],
        ["begins", "ends"],
    )
    small = "--d-model 4 --epochs 1 --folds 2".split()
    printed = run("elmo", "--text", "news.txt", *small)
    assert "24 sentences, 72 words" in printed
    assert re.search(r"forward +perplexity \d+\.\d\n +backward +perplexity", printed)
    assert len(re.findall(r"(?m)^  \w+_\w+ +\d+/\d+ +-?\d\.\d", printed)) == 3
    assert re.search(r"ELMo, mix of all layers +\d+\.\d%", printed)
    assert re.search("  day_year as in '(day|year)': (the|a) day_year begins", printed)
    made = {path.name for path in (tmp_path / "saved_models" / "elmo").iterdir()}
    assert {"elmo.keras", "senses"} <= made


def test_bert(run, tmp_path):
    write(
        tmp_path / "lines.txt",
        ["The old man and", "The young woman and"],
        ["Anna", "Otto", "Maria"],
        ["see a dog in", "wait for a bus in", "look for their friends in"],
        ["London .", "the garden .", "Seoul ."],
    )
    small = "--layers 1 --d-model 8 --heads 2 --vocab-size 70 --max-length 24".split()
    short = "--epochs 1 --tasks pairs --examples 16 --task-epochs 1".split()
    printed = run("bert", "--text", "lines.txt", "--lines", *small, *short)
    assert "54 lines, 54 sentences" in printed
    assert "fill in the blank, three guesses; what stood there" in printed
    assert re.search(r"from random weights +\d+\.\d%", printed)
    assert re.search(r"pre-trained +\d+\.\d%", printed)
    answer = r'"it does( not)?" \["it does", "it does not"\] \[0\.'
    assert len(re.findall(answer, printed)) == 2


def test_history(run, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    pytest.importorskip("sacrebleu", reason="sacrebleu is not installed")
    for split in ("train", "val", "test_2016_flickr"):
        for language, words in (("en", "a b c d"), ("de", "e f g h")):
            path = tmp_path / f"{split}.lc.norm.tok.{language}"
            write(path, words.split(), words.split(), words.split())
    out = tmp_path / "saved_models" / "history" / "multi30k"
    options = "--tasks multi30k --data . --epochs 1 --test 8 --vocab-size 20".split()
    options += "--parameters 3000 --beam-size 2".split()
    printed = run("history", *options, "--systems", "rnn")
    assert re.search(r"\| RNN \| [23],\d{3} \|", printed)
    assert re.search(r"  a a a -> ", printed)
    assert (out / "by_length.png").stat().st_size > 1000
    table = (out / "table.md").read_text()
    assert "8 test sentences; BLEU is " in table and table in printed
