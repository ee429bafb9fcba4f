import keras
import numpy as np
from keras import ops

from keras_attention.layers.token_embedding import TokenEmbedding
from keras_attention.models.encoder import Encoder

B, S, D, V = 2, 7, 12, 13


def encoder(norm_first=False):
    return Encoder(TokenEmbedding(V, D), 2, 3, 11, 0.4, norm_first, False, "float32")


def source_ids():
    ids = np.random.default_rng(0).integers(1, V, (B, S)).astype("int32")
    ids[0, 4:] = 0
    return ids


def test_on_symbolic_ids_it_lays_its_layers_into_a_model():
    ids = keras.Input((None,), dtype="int32")
    names = [layer.name for layer in keras.Model(ids, encoder()(ids)).layers]
    layers = ["encoder_layer_0", "encoder_layer_1"]
    assert names[2:] == ["source_position", "source_dropout", *layers]


def test_on_real_ids_it_computes_what_the_model_computes():
    parts, ids = encoder(), keras.Input((None,), dtype="int32")
    model = keras.Model(ids, parts(ids))
    np.testing.assert_array_equal(
        ops.convert_to_numpy(parts(source_ids())),
        ops.convert_to_numpy(model(source_ids())),
    )


def test_the_maps_come_with_the_same_memory():
    for norm_first in (False, True):
        parts = encoder(norm_first)
        expected = parts(source_ids())
        memory, maps = parts.attention_maps(source_ids())
        assert [tuple(weights.shape) for weights in maps] == 2 * [(B, 3, S, S)]
        np.testing.assert_allclose(
            ops.convert_to_numpy(memory), ops.convert_to_numpy(expected), atol=1e-6
        )
