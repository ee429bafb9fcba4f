"""The rows that ids name, and gradients that an optimizer may square."""

import keras
import numpy as np
import pytest
from keras import ops
from references import numpy, vectors

import keras_attention as ka
from keras_attention.layers.look_up import look_up

B, T, D, V = 2, 5, 12, 13
IDS = np.array([[5, 5, 5, 7, 1], [5, 7, 1, 2, 2]], "int32")  # rows that come again


@pytest.mark.parametrize("ids", [IDS, IDS[0], IDS[0, 0]], ids=["two", "one", "none"])
def test_each_id_gets_its_row(ids):
    table = vectors(V, D)
    np.testing.assert_array_equal(
        numpy(look_up(ops.convert_to_tensor(table), ops.convert_to_tensor(ids))),
        table[ids],
    )


def trained_once(layer, *inputs, eager):
    """Adam after one step: gradient (V, D) by loops, and both of its moments."""
    symbolic = [keras.Input(x.shape[1:], dtype=x.dtype) for x in inputs]
    model = keras.Model(symbolic, layer(*symbolic))
    adam = keras.optimizers.Adam(0.01, beta_1=0.9, beta_2=0.99)
    model.compile(adam, "mse", run_eagerly=eager, jit_compile=False)
    targets = vectors(B, T, D, seed=1)
    outputs = numpy(model(inputs))
    gradient = np.zeros(layer.weights[0].shape)
    for b in range(B):
        for t in range(T):
            gradient[inputs[-1][b, t]] += 2 * (outputs - targets)[b, t] / targets.size
    model.fit(inputs, targets, batch_size=B, epochs=1, shuffle=False, verbose=0)
    moments = [numpy(m) for m in adam.variables if m.shape == gradient.shape]
    return gradient, moments


@pytest.mark.parametrize("eager", [True, False], ids=["eager", "graph"])
@pytest.mark.parametrize("name", ["tokens", "segments"])
def test_adam_squares_the_sum_of_the_gradients_of_a_row(name, eager):
    layer, inputs = {
        "tokens": (ka.TokenEmbedding(V, D, scaled=False), [IDS]),
        "segments": (ka.SegmentEncoding(V), [vectors(B, T, D), IDS]),
    }[name]
    gradient, (first, second) = trained_once(layer, *inputs, eager=eager)
    np.testing.assert_allclose(first, 0.1 * gradient, atol=1e-7)
    np.testing.assert_allclose(second, 0.01 * gradient**2, rtol=1e-4, atol=1e-9)
    assert second[5].min() > 0  # looked up four times


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", ["tokens", "segments"])
def test_in_half_precision_a_frequent_row_gets_the_whole_sum(name, policy):
    """bfloat16 holds whole numbers up to 256: from there on, adding 1 adds nothing."""
    often = 2048
    ids = np.full((1, often), 3, "int32")
    layer, inputs = {
        "tokens": (ka.TokenEmbedding(V, D, scaled=False, dtype=policy), [ids]),
        "segments": (
            ka.SegmentEncoding(V, dtype=policy),
            [np.zeros((1, often, D), "float32"), ids],
        ),
    }[name]
    symbolic = [keras.Input(x.shape[1:], dtype=x.dtype) for x in inputs]
    model = keras.Model(symbolic, layer(*symbolic))
    before = numpy(layer.weights[0])
    # The gradient of each vector is 1 / B, and B is 1.
    model.compile(
        keras.optimizers.SGD(1.0),
        loss=lambda y_true, y_pred: ops.sum(y_true * ops.cast(y_pred, "float32")),
        jit_compile=False,
        auto_scale_loss=False,
    )
    model.fit(inputs, np.ones((1, often, D)), batch_size=1, verbose=0)
    np.testing.assert_allclose((before - numpy(layer.weights[0]))[3], often, rtol=1e-3)
