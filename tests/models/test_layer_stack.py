import pytest

from keras_attention.layers.layer_normalization import LayerNormalization
from keras_attention.layers.token_embedding import TokenEmbedding
from keras_attention.models.decoder import Decoder
from keras_attention.models.encoder import Encoder
from keras_attention.models.layer_stack import final_norm


@pytest.mark.parametrize("stack", [Encoder, Decoder])
def test_every_layer_is_told_what_the_stack_was_told(stack):
    embedding = TokenEmbedding(13, 12)
    options = (2, 3, 11, 0.4, True, True, "mixed_bfloat16", "gelu", False)
    made = stack(embedding, *options)
    assert made.embedding is embedding
    assert not made.position.interleaved and made.dropout.rate == 0.4
    assert [layer.name[-8:] for layer in made.layers] == ["_layer_0", "_layer_1"]
    for layer in made.layers:
        config = layer.get_config()
        found = [config[name] for name in ("num_heads", "d_ff", "dropout_rate")]
        assert found == [3, 11, 0.4]
        assert config["norm_first"] and config["use_bias"]
        assert config["activation"] == "gelu"
    for part in (made.position, made.dropout, *made.layers, made.norm):
        assert part.dtype_policy.name == "mixed_bfloat16"


def test_a_stack_ends_with_a_norm_only_where_its_layers_begin_with_one():
    x = object()
    assert final_norm(False, "float32", "end")(x) is x
    norm = final_norm(True, "float32", "end")
    assert isinstance(norm, LayerNormalization) and norm.epsilon == 1e-6
