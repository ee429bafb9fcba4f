"""A frozen model computes what the trained one computes, from constants."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_attention as ka
from keras_attention.export.frozen_model import (
    NO_BIAS,
    freeze,
    quickly_unpacked,
)
from keras_attention.export.numeric_format import pack, unpack

pytestmark = pytest.mark.tensorflow

SOURCE_IDS = np.array([[5, 6, 7, 3], [8, 3, 0, 0]], "int32")
TARGET_IDS = np.array([[2, 4, 9], [2, 5, 5]], "int32")
IDS = {"source_ids": SOURCE_IDS, "target_ids": TARGET_IDS}
TOLERANCE = {"float32": 1e-5, "bfloat16": 0.1, "int8": 0.15}
every_format = pytest.mark.parametrize("numeric_format", TOLERANCE)


TRANSFORMER = {"num_heads": 3, "d_ff": 20}


def trained(model_class=ka.Transformer, **options):
    """A model whose biases are not 0 any more."""
    sizes = TRANSFORMER if model_class is ka.Transformer else {}
    options = {"num_layers": 2, "d_model": 12, **sizes, **options}
    model = model_class(11, 13, **options)
    for weight in model.weights:
        if weight.name == "bias":
            weight.assign(keras.random.normal(weight.shape, stddev=0.1, seed=1))
    return model


def float32(x):
    return tf.cast(x, tf.float32).numpy()


@every_format
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_bias": True},
        {"norm_first": True},
        {"output_bias": True, "activation": "silu", "interleaved_positions": False},
        {"model_class": ka.RecurrentSeq2Seq, "cell": "gru", "bidirectional": True},
        {"model_class": ka.RecurrentSeq2Seq, "attention": "additive"},
    ],
    ids=str,
)
def test_the_logits_are_those_of_the_trained_model(numeric_format, options):
    model = trained(**options)
    frozen = freeze(model, numeric_format)
    np.testing.assert_allclose(
        float32(frozen(IDS))[..., :13],
        float32(model(IDS)),
        atol=TOLERANCE[numeric_format],
    )


@every_format
def test_an_ensemble_is_one_of_frozen_members(numeric_format):
    members = [trained(), trained(ka.RecurrentSeq2Seq, attention="additive")]
    frozen = freeze(ka.Ensemble(members), numeric_format)
    np.testing.assert_allclose(
        np.exp(frozen(IDS))[..., :13],
        np.exp(ka.Ensemble(members)(IDS)),
        atol=TOLERANCE[numeric_format] / 5,  # of probabilities, not of logits
    )
    parts = [
        part for member in members for part in freeze(member, numeric_format).stored
    ]
    assert [part.shape for part in frozen.stored] == [part.shape for part in parts]


def test_the_tokens_that_fill_up_the_vocabulary_are_never_proposed():
    model = trained()
    frozen = freeze(model, "float32")
    logits = frozen.forbid(frozen(IDS)).numpy()
    assert logits.shape[-1] == 128
    assert (logits[..., [0, 2, *range(13, 128)]] < -1e4).all()
    np.testing.assert_allclose(
        logits[..., :13], model.forbid(model(IDS)).numpy(), atol=1e-5
    )


@every_format
@pytest.mark.parametrize(
    "options",
    [{}, {"model_class": ka.RecurrentSeq2Seq, "attention": "multiplicative"}],
    ids=["transformer", "recurrent"],
)
def test_a_step_is_that_of_the_trained_model(numeric_format, options):
    model, atol = trained(**options), TOLERANCE[numeric_format]
    frozen = freeze(model, numeric_format)
    cache, memory = model.start(SOURCE_IDS, max_length=None)
    frozen_cache, frozen_memory = frozen.start(SOURCE_IDS, max_length=None)
    for index in range(3):
        token_ids = tf.constant(TARGET_IDS[:, index])
        expected, cache, maps = model.step(token_ids, cache, index, memory)
        logits, frozen_cache, frozen_maps = frozen.step(
            token_ids, frozen_cache, tf.constant(index), frozen_memory
        )
        logits = float32(logits)[:, :13]
        np.testing.assert_allclose(logits, float32(expected), atol=atol)
        np.testing.assert_allclose(float32(frozen_maps), float32(maps), atol=atol)


def test_the_attention_is_that_of_the_trained_model():
    model = trained()
    frozen = freeze(model, "float32")
    maps, expected = [m.attention_maps(SOURCE_IDS, TARGET_IDS) for m in (frozen, model)]
    for one, other in zip(keras.tree.flatten(maps), keras.tree.flatten(expected)):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_training_on_changes_nothing_of_what_was_frozen():
    model = trained()
    frozen = freeze(model, "float32")
    before = float32(frozen(IDS))
    for weight in model.weights:
        weight.assign(weight + 1.0)
    np.testing.assert_array_equal(float32(frozen(IDS)), before)


def test_it_is_still_of_the_class_of_the_model():
    frozen = [freeze(model, "float32") for model in (trained(), trained())]
    assert isinstance(frozen[0], ka.Transformer)
    assert type(frozen[0]) is type(frozen[1])
    assert type(frozen[0]).__name__ == "FrozenTransformer"


def step_graph(model):
    """The graph of one step, traced as a search traces it."""
    frozen = freeze(model, "float32")

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32)])
    def first_step(source_ids):
        cache, memory = frozen.start(source_ids, max_length=None)
        return frozen.step(source_ids[:, 0], cache, tf.constant(0), memory)[0]

    graph = first_step.get_concrete_function().graph
    [call] = [op for op in graph.get_operations() if "PartitionedCall" in op.type]
    return graph._get_function(call.get_attr("f").name).graph


@pytest.mark.parametrize(
    "options",
    [{}, {"model_class": ka.RecurrentSeq2Seq, "attention": "additive"}],
    ids=["transformer", "recurrent"],
)
def test_a_step_reads_constants_and_each_of_them(options):
    model = trained(**options)
    operations = step_graph(model).get_operations()
    assert not [op for op in operations if op.type == "ReadVariableOp"]
    stepped = [list(w.shape) for w in model.step_weights if len(w.shape) == 2]
    stepped[0] = [128, 12]  # the vocabulary, filled up
    matrices = [
        op
        for op in operations
        if op.type == "Const" and op.outputs[0].shape.as_list() in stepped
    ]
    assert sorted(op.outputs[0].shape.as_list() for op in matrices) == sorted(stepped)
    assert all(op.outputs[0].consumers() for op in matrices)


def test_every_product_of_a_step_has_a_bias_that_is_not_zero():
    frozen = freeze(ka.Transformer(11, 13, 1, 12, 3, 20), "bfloat16")
    biases = [weight for weight in frozen.step_weights if weight.name == "bias"]
    assert len(biases) == 6
    stored = {id(w): values for w, values in zip(frozen.weights, frozen.stored)}
    for bias in biases:
        np.testing.assert_allclose(float32(stored[id(bias)]), NO_BIAS, rtol=0.01)


def test_only_what_is_too_large_to_be_folded_is_unpacked_beforehand():
    small = pack(np.ones((512, 512), "float32"), "int8")
    large = pack(np.ones((512, 10_241), "float32"), "int8")
    assert quickly_unpacked(small) is small
    [whole] = quickly_unpacked(large)
    assert whole.dtype == "bfloat16"
    np.testing.assert_array_equal(whole, unpack(large))


def test_int8_stores_a_quarter_of_float32():
    model = trained(d_model=120, d_ff=200)
    sizes = {
        name: sum(
            part.dtype.size * part.shape.num_elements()
            for part in freeze(model, name).stored
        )
        for name in TOLERANCE
    }
    assert sizes["bfloat16"] == pytest.approx(sizes["float32"] / 2, rel=0.01)
    assert sizes["int8"] == pytest.approx(sizes["float32"] / 4, rel=0.05)
