"""What all models from source and target ids to logits have in common."""

import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.models.sequence_to_sequence import make_embeddings

SOURCE_V, TARGET_V, D = 17, 13, 12
MODELS = {
    "Transformer": (ka.Transformer, {"num_heads": 3, "d_ff": 11}),
    "RecurrentSeq2Seq": (ka.RecurrentSeq2Seq, {"cell": "simple_rnn"}),
}
every_model = pytest.mark.parametrize("model, sizes", MODELS.values(), ids=MODELS)


def made(model, sizes, **options):
    options = {"num_layers": 1, "d_model": D, **sizes, **options}
    return model(SOURCE_V, TARGET_V, **options)


def batch():
    return {"source_ids": np.array([[5, 16, 3]]), "target_ids": np.array([[2, 4]])}


@every_model
def test_an_input_too_many_is_named(model, sizes):
    with pytest.raises(ValueError, match="mine: got the inputs .'weights'.*source_ids"):
        made(model, sizes, name="mine")({**batch(), "weights": np.ones((1, 2))})


@every_model
def test_an_id_outside_of_its_vocabulary_is_refused(model, sizes):
    message = r"mine, target_ids: got the id 16 .* vocab_size=13 has ids from 0 to 12"
    with pytest.raises(ValueError, match=message):
        made(model, sizes, name="mine")({**batch(), "target_ids": np.array([[16]])})


@every_model
def test_one_matrix_for_two_vocabularies_is_refused(model, sizes):
    message = f"{model.__name__}: got share_embeddings=True with source_vocab_size=17"
    with pytest.raises(ValueError, match=message):
        made(model, sizes, share_embeddings=True)


@every_model
def test_a_forbidden_token_outside_of_the_vocabulary_is_refused(model, sizes):
    message = rf"{model.__name__}: got forbidden_tokens=\[0, 13\].*from 0 to 12"
    with pytest.raises(ValueError, match=message):
        made(model, sizes, forbidden_tokens=(0, 13))


@every_model
def test_what_is_forbidden_is_never_proposed_and_the_rest_left_as_it_is(model, sizes):
    one = made(model, sizes, forbidden_tokens=(0, 5))
    assert np.flatnonzero(one.forbidden).tolist() == [0, 5]
    logits = np.random.default_rng(0).normal(size=(2, TARGET_V)).astype("float32")
    found = ops.convert_to_numpy(one.forbid(ops.convert_to_tensor(logits)))
    np.testing.assert_array_equal(found < -1e4, 2 * [one.forbidden])
    np.testing.assert_array_equal(found[:, ~one.forbidden], logits[:, ~one.forbidden])


@every_model
def test_compiling_makes_the_variables_of_the_optimizer(model, sizes):
    one = made(model, sizes)
    one.compile("adam", ka.MaskedCrossentropy())
    assert len(one.optimizer.variables) > 2 * len(one.trainable_variables)


@every_model
def test_the_config_makes_the_same_model(model, sizes):
    one = made(model, sizes, dtype="mixed_bfloat16", name="mine")
    copy = model.from_config(one.get_config())
    assert copy.get_config() == one.get_config()
    assert [w.path for w in copy.weights] == [w.path for w in one.weights]


def test_shared_embeddings_are_one_layer_and_others_two():
    config = {"source_vocab_size": 11, "target_vocab_size": 11, "d_model": D}
    source, target = make_embeddings({**config, "share_embeddings": True}, "float32")
    assert source is target and target.name == "embedding"
    source, target = make_embeddings(
        {**config, "share_embeddings": False}, "float32", scaled=False, output_bias=True
    )
    assert (source.name, target.name) == ("source_embedding", "target_embedding")
    assert (source.scaled, source.use_bias) == (False, False)
    assert (target.scaled, target.use_bias) == (False, True)
