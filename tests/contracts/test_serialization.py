"""Saved and loaded again, a layer is the same: its config, its weights, its results."""

import inspect
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
from layer_cases import CASES, every_layer, numpy

# Loads each folder's model.keras and writes what it makes of the inputs.
PROGRAM = """
import pathlib, sys
import keras, numpy as np
import keras_attention
for folder in map(pathlib.Path, sys.argv[1:]):
    model = keras.models.load_model(folder / "model.keras")
    inputs = list(np.load(folder / "inputs.npz").values())
    outputs = keras.ops.convert_to_numpy(model(inputs))
    weights = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    np.savez(folder / "loaded.npz", outputs, *weights)
"""


def assert_equal_to_the_bit(model, loaded, inputs):
    assert [w.path for w in loaded.weights] == [w.path for w in model.weights]
    for old, new in zip(model.weights, loaded.weights):
        np.testing.assert_array_equal(numpy(new), numpy(old))
    np.testing.assert_array_equal(numpy(loaded(inputs)), numpy(model(inputs)))


@every_layer
def test_the_config_makes_the_same_config(case):
    config = case.make(name="some_name", dtype="mixed_bfloat16").get_config()
    assert case.layer.from_config(config).get_config() == config


@every_layer
def test_the_config_lists_exactly_the_arguments_of_the_constructor(case):
    config = case.make().get_config()
    arguments = set(inspect.signature(case.layer).parameters) - {"kwargs"}
    assert set(config) - set(keras.layers.Layer().get_config()) == arguments
    assert {name: config[name] for name in case.options} == case.options


@every_layer
def test_each_argument_is_a_public_attribute(case):
    layer = case.make()
    for name, value in case.options.items():
        if name == "activation":
            value = keras.activations.get(value)
        assert getattr(layer, name) == value


@every_layer
def test_a_saved_model_loads_without_custom_objects(case, tmp_path):
    model = case.model()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    configs = [[layer.get_config() for layer in m.layers] for m in (model, loaded)]
    assert configs[0] == configs[1]
    assert_equal_to_the_bit(model, loaded, case.inputs())


@every_layer
def test_saved_weights_load_into_a_new_layer(case, tmp_path):
    model, other = case.model(case.make(name="one")), case.model(case.make(name="one"))
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    assert_equal_to_the_bit(model, other, case.inputs())


@every_layer
def test_the_weights_exist_before_the_first_call(case):
    layer = case.make()
    layer.build(*case.shapes)
    before = [weight.path for weight in layer.weights]
    case.connect(layer, *case.inputs())
    assert [weight.path for weight in layer.weights] == before


def test_every_saved_layer_is_the_same_in_a_fresh_process(tmp_path):
    expected = {}
    for number, (name, case) in enumerate(CASES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        model = case.model()
        model.save(folder / "model.keras")
        np.savez(folder / "inputs.npz", *case.inputs())
        outputs = [model(case.inputs()), *model.weights]
        expected[name] = folder, [numpy(x) for x in outputs]
    run_in_fresh_process(PROGRAM, *(folder for folder, _ in expected.values()))
    for name, (folder, arrays) in expected.items():
        loaded = list(np.load(folder / "loaded.npz").values())
        assert len(loaded) == len(arrays), name
        for new, old in zip(loaded, arrays):
            np.testing.assert_array_equal(new, old, err_msg=name)


def run_in_fresh_process(program, *arguments):
    root = pathlib.Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
    )
