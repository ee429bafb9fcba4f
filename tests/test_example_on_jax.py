"""The example for JAX runs where there is no TensorFlow, from text to a report."""

import itertools
import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

import keras_attention as ka

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="this is about the JAX backend"
)

ROOT = pathlib.Path(__file__).parents[1]


def test_it_trains_and_translates_without_tensorflow(tmp_path):
    pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    pytest.importorskip("sacrebleu", reason="sacrebleu is not installed")
    for split in ("train", "val", "test_2016_flickr"):
        for language, words in (("en", "abcd"), ("de", "efgh")):
            lines = map(" ".join, itertools.product(words, repeat=3))
            path = tmp_path / f"{split}.lc.norm.tok.{language}"
            path.write_text("\n".join(lines) + "\n")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for name in ("tensorflow", "tensorflow_text"):
        (hidden / f"{name}.py").write_text("raise ImportError('not here')\n")
    options = "--data . --out out --vocab-size 13 --updates 2 --averaged 2".split()
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "multi30k_jax.py", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{hidden}:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "2 epochs of 1 batches" in done.stdout
    assert done.stdout.count("BLEU") == 2
    report = json.loads((tmp_path / "out" / "test_2016_flickr.json").read_text())
    assert "tok:none" in report["signatures"]["bleu"]
    model = keras.saving.load_model(tmp_path / "out" / "model.keras")
    assert isinstance(model, ka.Transformer)
    assert model.config["target_vocab_size"] == 13
    assert (tmp_path / "out" / "pieces.model").stat().st_size > 100
