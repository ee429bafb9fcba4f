"""The examples in docstrings run, and give the shapes and numbers that they show."""

import ast
import doctest
import importlib
import pathlib

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka

PACKAGE = pathlib.Path(ka.__file__).parent
STAGES = [
    "layers",
    "embeddings",
    "models",
    "training",
    "decoding",
    "tuning",
    "plots",
    "testing",
]


def objects_with_examples():
    """Every doctest of the stages that run on any backend, by the object's name."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = {}
    for stage in STAGES:
        for path in sorted((PACKAGE / stage).glob("[!_]*.py")):
            module = importlib.import_module(f"keras_attention.{stage}.{path.stem}")
            for test in finder.find(module, module.__name__):
                if test.examples:
                    tests[test.name.removeprefix("keras_attention.")] = test
    return tests


TESTS = objects_with_examples()


def namespace(test):
    """What a reader of the example has at hand: public names, a model, some ids."""
    public = {name: getattr(ka, name) for name in ka.__all__ if name not in ka.ON_USE}
    names = {"np": np, "keras": keras, "ops": ops, **test.globs, **public}
    if any("model." in example.source for example in test.examples):
        names["model"] = ka.Transformer(
            11, 13, num_layers=1, d_model=12, num_heads=3, d_ff=24
        )
        names["source_ids"] = np.array([[5, 6, 3], [7, 3, 0]])
    return names


def plain(value):
    """Shapes of any backend as tuples, and tuples of them; else the value itself."""
    if isinstance(value, (list, tuple)) or type(value).__name__ == "TensorShape":
        return tuple(plain(item) for item in value)
    return value


def run(example, names):
    """Execute one example; where it shows what comes out, compare."""
    if not example.want:
        exec(example.source, names)
        return
    assert plain(eval(example.source, names)) == ast.literal_eval(example.want)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_the_example_runs(test):
    names = namespace(test)
    for example in test.examples:
        run(example, names)


def test_every_public_layer_and_model_has_an_example():
    classes = (keras.layers.Layer, keras.losses.Loss, keras.metrics.Metric)
    public = [getattr(ka, name) for name in ka.__all__ if name not in ka.ON_USE]
    without = [
        value.__name__
        for value in public
        if isinstance(value, type)
        and issubclass(value, classes)
        and ">>>" not in value.__doc__
    ]
    assert not without
