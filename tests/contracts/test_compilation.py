"""Compiled, a layer computes what it computes eagerly."""

import keras
import numpy as np
import pytest
from layer_cases import every_layer, every_layer_of_vectors, numpy, random_masks

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras compiles nothing on torch unless asked to"
)
MODES = {"tensorflow": ["graph", "xla"], "jax": ["xla"], "torch": []}[BACKEND]
every_mode = pytest.mark.parametrize("mode", MODES)


def compiled(function, mode):
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=mode == "xla")


@every_layer
@every_mode
def test_compiled_is_the_same_as_eager(case, mode):
    layer, inputs = case.make(), case.inputs()
    eager = case.connect(layer, *inputs)
    jitted = compiled(lambda *inputs: case.connect(layer, *inputs), mode)(*inputs)
    np.testing.assert_allclose(numpy(jitted), numpy(eager), atol=1e-5)


@every_layer_of_vectors
@every_mode
def test_compiled_with_masks_is_the_same_as_eager(case, mode):
    model, values = case.masked_model(), [case.inputs(), random_masks(case)]
    eager, _ = model(values)
    jitted, passed = compiled(lambda values: model(values), mode)(values)
    np.testing.assert_allclose(numpy(jitted), numpy(eager), atol=1e-5)
    np.testing.assert_array_equal(numpy(passed), values[1][0])
