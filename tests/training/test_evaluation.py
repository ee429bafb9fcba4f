"""BLEU, chrF and TER: by hand, as published, and as sacrebleu's own command prints."""

import json
import math
import subprocess
import sys

import pytest

from keras_attention.training.evaluation import Evaluation, evaluate

# From sacrebleu's documentation, with the figures published there.
PUBLISHED = [
    "The dog bit the man.",
    "It wasn't surprising.",
    "The man had just bitten him.",
]
PUBLISHED_REFERENCES = [
    ["The dog bit the man.", "It was not unexpected.", "The man bit him first."],
    [
        "The dog had bit the man.",
        "No one was surprised.",
        "The man had bitten the dog.",
    ],
]
TRANSLATIONS = [
    "Ein Hund läuft , über die Wiese .",
    "Zwei Männer stehen am Herd und kochen Essen.",
    'Ein Mann mit "Hut" sieht etwas an',
    "eine Frau in weiß-rotem Kleid - 3.5 Meter groß!",
]
REFERENCES = [
    "Ein Hund rennt über die grüne Wiese .",
    "Zwei Männer stehen am Herd und bereiten Essen zu.",
    "Ein Mann mit Hut sieht etwas an.",
    "Eine Frau im weiß-roten Kleid, 3.5 Meter groß!",
]


def test_a_translation_without_fault_but_too_short_has_the_brevity_penalty():
    words = "the cat sat on the mat"
    found = evaluate([words], [words + " today"])
    assert found.bleu == pytest.approx(100 * math.exp(1 - 7 / 6))
    assert found.ter == pytest.approx(100 * 1 / 7)


def test_n_grams_are_counted_over_all_sentences():
    found = evaluate(["a b c d e", "v w x y z"], ["a b c d f", "v w x y z"])
    precisions = [9 / 10, 7 / 8, 5 / 6, 3 / 4]  # of 1 to 4 words
    assert found.bleu == pytest.approx(100 * math.prod(precisions) ** (1 / 4))
    assert found.ter == pytest.approx(100 * 1 / 10)


def test_figures_that_were_published():
    found = evaluate(PUBLISHED, PUBLISHED_REFERENCES)
    assert f"{found.bleu:.2f}" == "48.53"
    assert f"{found.chrf:.2f}" == "59.73"
    assert found.signatures["bleu"].startswith("nrefs:2|case:mixed|eff:no|tok:13a|")


def command(folder, reference_sets, *options):
    """sacrebleu's figures and signatures, by the name of the figure."""
    files = [folder / f"references.{index}" for index in range(len(reference_sets))]
    for file, references in zip(files, reference_sets):
        file.write_text("\n".join(references) + "\n", encoding="utf-8")
    (folder / "translations").write_text("\n".join(TRANSLATIONS) + "\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "sacrebleu", *files, "-i", folder / "translations"]
        + ["-m", "bleu", "chrf", "ter", "-w", "9", "-f", "json", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        {"BLEU": "bleu", "chrF2": "chrf", "TER": "ter"}[one["name"]]: (
            one["score"],
            one["signature"],
        )
        for one in json.loads(done.stdout)
    }


@pytest.mark.parametrize(
    "arguments, options",
    [
        ({}, []),
        ({"lowercase": True}, ["-lc", "--chrf-lowercase"]),
        (
            {"lowercase": True, "tokenize": "none"},
            ["-lc", "--chrf-lowercase", "-tok", "none"],
        ),
        ({"tokenize": "char"}, ["-tok", "char"]),
    ],
    ids=["plain", "lower case", "tokenised, lower case", "characters"],
)
def test_figures_and_signatures_are_those_of_the_command(tmp_path, arguments, options):
    found = evaluate(TRANSLATIONS, REFERENCES, **arguments)
    for name, (score, signature) in command(tmp_path, [REFERENCES], *options).items():
        assert getattr(found, name) == pytest.approx(score, abs=1e-8)
        assert 0 < score < 100
        assert found.signatures[name] == signature


def test_several_references_are_those_of_the_command(tmp_path):
    sets = [REFERENCES, [text.replace("Ein", "Irgendein") for text in REFERENCES]]
    found = evaluate(TRANSLATIONS, sets)
    for name, (score, signature) in command(tmp_path, sets).items():
        assert getattr(found, name) == pytest.approx(score, abs=1e-8)
        assert found.signatures[name] == signature
        assert "nrefs:2" in signature


def test_case_and_tokenisation_make_the_difference_that_they_should():
    references = REFERENCES[:3]  # without "ß", whose capital is another letter
    upper = [text.upper() for text in references]
    assert evaluate(upper, references).bleu < 20
    lowered = evaluate(upper, references, lowercase=True)
    assert lowered.bleu == pytest.approx(100) and lowered.chrf == pytest.approx(100)
    spaced, joined = ["a dog runs now ."], ["a dog runs now."]
    assert evaluate(spaced, joined).bleu == pytest.approx(100)
    assert evaluate(spaced, joined, tokenize="none").bleu < 80


def test_the_same_text_is_perfect_and_an_empty_one_is_not():
    same = evaluate(REFERENCES, tuple(REFERENCES))
    assert (same.bleu, same.chrf, same.ter) == pytest.approx((100, 100, 0))
    empty = evaluate(["", ""], REFERENCES[:2])
    assert (empty.bleu, empty.chrf, empty.ter) == pytest.approx((0, 0, 100))


def test_tokenised_text_is_not_complained_of_where_it_is_wanted(caplog):
    texts = ["a dog runs ."] * 100
    evaluate(texts, texts, tokenize="none")
    assert not caplog.records
    evaluate(texts, texts)
    assert "forgot to detokenize" in caplog.text


def test_printed_it_is_a_line_for_each_figure_with_its_signature():
    signatures = {"bleu": "nrefs:1|tok:13a", "chrf": "nrefs:1|nc:6", "ter": "nrefs:1"}
    assert str(Evaluation(41.018, 100.0, 5.5, signatures)).splitlines() == [
        "BLEU   41.02  nrefs:1|tok:13a",
        "chrF  100.00  nrefs:1|nc:6",
        "TER     5.50  nrefs:1",
    ]


@pytest.mark.parametrize(
    "translations, references, message",
    [
        (["a"] * 3, ["b"] * 2, "got 3 translations and 2 references, but.*as many"),
        (["a"], [["b"], ["b", "c"]], r"got 1 translations and 2 references\[1\], but"),
        ([], [], "got 0 translations, but"),
        (["a"], [], "got 0 references, but"),
        (["a"], [[]], r"got 0 references\[0\], but"),
    ],
)
def test_numbers_of_texts_that_do_not_fit_are_refused(
    translations, references, message
):
    with pytest.raises(ValueError, match=f"evaluate: {message}"):
        evaluate(translations, references)


@pytest.mark.parametrize(
    "translations, references, message",
    [
        ("a b", ["a b"], "got translations of type str, but a list"),
        (["a"], "b", "got references of type str, but a list"),
        (iter(["a"]), ["b"], "got translations of type list_iterator, but a list"),
        (["a", b"b"], ["a", "b"], r"got bytes at translations\[1\], but only str"),
        (["a"], [None], r"got NoneType at references\[0\], but only str"),
        (["a"], [["a"], ["b"], [3]], r"got int at references\[2\]\[0\], but only str"),
        (["a"], [["a"], "b"], r"got references\[1\] of type str, but a list"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(translations, references, message):
    with pytest.raises(TypeError, match=f"evaluate: {message}"):
        evaluate(translations, references)


def test_an_unknown_tokenization_is_refused():
    message = "evaluate: got tokenize='13b', but .*13a, .*none.*Choose one"
    with pytest.raises(ValueError, match=message):
        evaluate(["a"], ["a"], tokenize="13b")


def test_a_missing_sacrebleu_is_said_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    message = r"evaluate: got no sacrebleu, .*pip install '.*\[evaluate\]'"
    with pytest.raises(ImportError, match=message):
        evaluate(["a"], ["a"])
