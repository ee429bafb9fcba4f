"""Each token's logit gets its own number."""

import numpy as np
from keras import ops

from keras_attention.layers.output_bias import OutputBias


def test_the_bias_is_added_at_every_position():
    layer = OutputBias()
    logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(logits)), logits)
    layer.set_weights([np.array([1, 2, 3, 4], "float32")])
    found = ops.convert_to_numpy(layer(logits))
    np.testing.assert_allclose(found, logits + [1, 2, 3, 4], atol=1e-6)
