"""The map in the package's docstring is true: what imports what, and what never."""

import ast
import functools
import importlib
import importlib.util
import inspect
import os
import pathlib
import subprocess
import sys

import keras
import pytest

import keras_attention as ka

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_attention"
MODULES = sorted(PACKAGE.rglob("*.py"))

# What each stage may import, beside itself. Nothing points back, and there is
# nothing between training and decoding.
UPSTREAM = {
    "special_tokens": set(),
    "files": set(),
    "text": {"files", "special_tokens"},
    "layers": {"special_tokens"},
    "embeddings": {"layers", "special_tokens"},
    "models": {"layers", "special_tokens"},
    "training": {"files", "models", "layers", "special_tokens"},
    "decoding": {"models", "layers", "special_tokens"},
    "export": {
        "files",
        "text",
        "training",
        "decoding",
        "models",
        "layers",
        "special_tokens",
    },
    "tuning": {"files", "text", "training", "models", "layers", "special_tokens"},
    "interop": {
        "files",
        "text",
        "training",
        "decoding",
        "models",
        "layers",
        "export",
        "special_tokens",
    },
    "runs": {
        "files",
        "text",
        "training",
        "decoding",
        "models",
        "layers",
        "export",
        "interop",
        "tuning",
        "special_tokens",
    },
    "testing": set(),
    "plots": {
        "files",
        "decoding",
        "models",
        "embeddings",
        "layers",
        "special_tokens",
    },
}
EVERYTHING = {*UPSTREAM, "__init__"}
MAY_IMPORT_TENSORFLOW = {"text", "export"}

every_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE))
)


def stage_of(path):
    """keras_attention/layers/masks.py -> layers."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imported_modules(path):
    """Full names of all modules that a file imports, inside of functions, too."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_stages(path):
    parts = [name.split(".") for name in imported_modules(path)]
    return {name[1] for name in parts if name[0] == "keras_attention" and len(name) > 1}


@every_module
def test_a_stage_imports_only_what_comes_before_it(path):
    stage = stage_of(path)
    if stage == "__init__":
        allowed = EVERYTHING
    else:
        assert stage in UPSTREAM, f"{stage} has no place in the order of the stages"
        allowed = UPSTREAM[stage] | {stage}
    assert imported_stages(path) <= allowed


@every_module
def test_tensorflow_is_imported_only_where_sentences_are(path):
    roots = {name.split(".")[0] for name in imported_modules(path)}
    if stage_of(path) not in MAY_IMPORT_TENSORFLOW:
        assert not roots & {"tensorflow", "tensorflow_text", "jax", "torch"}


@every_module
def test_nothing_private_of_keras_is_imported(path):
    assert not [name for name in imported_modules(path) if name.startswith("keras.src")]
    assert "keras.src" not in path.read_text(encoding="utf-8")


@every_module
def test_nothing_is_asserted(path):
    """An assert vanishes under python -O, and says nothing to who caused it."""
    nodes = ast.walk(parsed(path))
    lines = [node.lineno for node in nodes if isinstance(node, ast.Assert)]
    assert not lines


@every_module
def test_every_module_says_what_it_is_for(path):
    if path.read_text(encoding="utf-8"):
        assert ast.get_docstring(parsed(path))


def test_every_module_has_a_file_of_tests():
    missing = [
        str(path.relative_to(ROOT))
        for path in PACKAGE.glob("*/*.py")
        if path.stem != "__init__"
        and not (ROOT / "tests" / path.parent.name / f"test_{path.stem}.py").exists()
    ]
    assert not missing


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.tensorflow if name in ka.ON_USE else ())
        for name in ka.__all__
    ],
)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(ka, name)
    assert inspect.getdoc(value)
    assert value.__module__.startswith("keras_attention.")
    assert name in dir(ka)


def test_every_name_imported_on_use_is_public():
    assert set(ka.ON_USE) <= set(ka.__all__)
    assert len(set(ka.__all__)) == len(ka.__all__)


def test_a_name_that_is_not_there_is_named():
    with pytest.raises(
        AttributeError, match="keras_attention' has no attribute 'Bird'"
    ):
        ka.Bird


OPTIONAL = [
    "gensim",
    "safetensors",
    "sklearn",
    "tensorboard",
    "tomli_w",
    "tensorflow_text",
    "sentencepiece",
    "matplotlib",
    "keras_tuner",
    "sacrebleu",
    "tensorflow_serving",
]

# Blocks modules, then imports the package, builds a model and calls it.
PROGRAM = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None
import numpy as np
import keras_attention as ka
model = ka.Transformer(11, 13, num_layers=1, d_model=12, num_heads=3, d_ff=24)
ids = {"source_ids": np.array([[5, 6, 3]]), "target_ids": np.array([[2, 4]])}
assert tuple(model(ids).shape) == (1, 2, 13)
loaded = [name for name in sys.argv[1:] if sys.modules[name] is not None]
assert not loaded, loaded
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_the_core_works_without_what_it_does_not_need(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    if keras.backend.backend() not in ("tensorflow", backend):
        pytest.skip("the run on TensorFlow looks at the other backends")
    blocked = [*OPTIONAL, *({"tensorflow", "jax", "torch"} - {backend})]
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *blocked],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        check=True,
    )


@pytest.mark.tensorflow
def test_the_core_leaves_tensorflow_text_alone_where_it_is_installed():
    program = "import sys, keras_attention; sys.exit('tensorflow_text' in sys.modules)"
    subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
