import keras
import numpy as np
import pytest
from references import numpy, randomize, vectors

from keras_attention.layers.dense import Dense

B, T, D, UNITS = 2, 5, 12, 7


def pair(**settings):
    """A layer and Keras's, of the same random weights."""
    layers = [cls(UNITS, **settings) for cls in (Dense, keras.layers.Dense)]
    for layer in layers:
        layer.build((None, None, D))
    randomize(layers[0])
    layers[1].set_weights(layers[0].get_weights())
    return layers


@pytest.mark.parametrize("shape", [(B, D), (B, T, D), (B, 3, T, D)])
@pytest.mark.parametrize(
    "settings",
    [{}, {"activation": "relu"}, {"use_bias": False}, {"dtype": "mixed_bfloat16"}],
    ids=str,
)
def test_it_says_what_keras_says(settings, shape):
    layer, other = pair(**settings)
    x = vectors(*shape)
    y, expected = layer(x), other(x)
    assert y.shape == expected.shape and y.dtype == expected.dtype
    tolerance = 2e-2 if "dtype" in settings else 1e-5
    np.testing.assert_allclose(numpy(y), numpy(expected), atol=tolerance)


def test_sizes_may_be_unknown():
    layer, other = pair()
    inputs = keras.Input((None, None, D))
    outputs = layer(inputs)
    assert outputs.shape == (None, None, None, UNITS)
    x = vectors(B, 3, T, D)
    model = keras.Model(inputs, outputs)
    np.testing.assert_allclose(model.predict(x, verbose=0), numpy(other(x)), atol=1e-5)


def test_it_learns_as_keras_does():
    x, target = vectors(B, T, D, seed=1), vectors(B, T, UNITS, seed=2)
    learned = []
    for dense in pair(activation="relu"):
        model = keras.Sequential([keras.Input((None, D)), dense])
        model.compile(keras.optimizers.SGD(0.5), "mse", jit_compile=False)
        model.fit(x, target, batch_size=B, epochs=3, verbose=0)
        learned.append(model.get_weights())
    for ours, keras_weights in zip(*learned):
        np.testing.assert_allclose(ours, keras_weights, atol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "dense, is_fused", [(Dense, True), (keras.layers.Dense, False)]
)
def test_tensorflow_makes_one_operation_of_it(dense, is_fused):
    """And not of Keras's own: when it does, ours has no more use."""
    layer = dense(UNITS, activation="relu")
    layer.build((None, None, D))
    randomize(layer)  # a bias of zeros would be left out
    operations = optimised(layer, vectors(B, T, D))
    assert any("FusedMatMul" in operation for operation in operations) == is_fused
    assert ("Relu" in operations) != is_fused


def optimised(layer, x):
    """The operations that TensorFlow runs for a layer of known weights."""
    import tensorflow as tf

    weights = [(weight, weight.numpy()) for weight in layer.weights]
    metadata = tf.compat.v1.RunMetadata()
    options = tf.compat.v1.RunOptions(output_partition_graphs=True)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        inputs = tf.compat.v1.placeholder("float32", (None, None, D))
        constants = [(weight, tf.constant(values)) for weight, values in weights]
        with keras.StatelessScope(constants):
            outputs = layer(inputs)
        session.run(outputs, {inputs: x}, options, metadata)
    return {node.op for graph in metadata.partition_graphs for node in graph.node}
