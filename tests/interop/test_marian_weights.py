"""Marian's tensors become weights and go back, and one that is wrong is named."""

import numpy as np
import pytest
from keras import ops

from keras_attention.interop.marian_vocabulary import MarianVocabulary
from keras_attention.interop.marian_weights import (
    BIAS,
    DECODER_TABLE,
    OUTPUT,
    SHARED,
    TensorReader,
    marian_tensors,
    position_table,
    read_weights,
)
from keras_attention.models.sequence_to_sequence import FORBIDDEN_LOGIT
from keras_attention.models.transformer import Transformer
from keras_attention.special_tokens import PAD, START

VOCABULARY = MarianVocabulary(["</s>", "<unk>", "a", "b", "c", "<pad>"])
LONGER = MarianVocabulary(["</s>", "<unk>", "a", "b", "c", "<filler0>", "<pad>"])
IDS = {
    "source_ids": np.array([[4, 5, 3], [6, 3, 0]], "int32"),
    "target_ids": np.array([[2, 4, 5, 6], [2, 6, 1, 4]], "int32"),
}
FC1 = "model.decoder.layers.0.fc1.weight"


class Config:
    """What `read_weights` asks of a config.json."""

    max_positions = 20

    def __init__(self, model):
        self.shared = model.config["share_embeddings"]
        self.values = {"scale_embedding": model.config["scale_embeddings"]}


def random_model(**options):
    sizes = {"num_layers": 1, "d_model": 9, "num_heads": 3, "d_ff": 12}
    model = Transformer(7, 7, **{**sizes, "share_embeddings": True, **options})
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign_add(rng.normal(size=weight.shape, scale=0.3))
    return model


def marian_model(**options):
    options = {"num_decoder_layers": 2, "activation": "silu", **options}
    marian = {"interleaved_positions": False, "use_bias": True, "output_bias": True}
    return random_model(**marian, **options)


def read(tensors, model, vocabulary=VOCABULARY):
    reader = TensorReader("load", "model.safetensors", tensors)
    read_weights(reader, model, vocabulary, vocabulary, Config(model))


def written(model, vocabulary=VOCABULARY):
    return marian_tensors(model, vocabulary, vocabulary, 20)


def logits(model):
    return ops.convert_to_numpy(model(IDS))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"share_embeddings": False},
        {"scale_embeddings": False},
        {"forbidden_tokens": (PAD,)},
    ],
    ids=str,
)
def test_out_and_in_again_gives_equal_weights(options):
    model, other = marian_model(**options), marian_model(**options)
    rows = np.random.default_rng(1).normal(size=(6, 9)).astype("float32")
    for embedding in (model.encoder.embedding, model.decoder.embedding):
        embedding.embeddings.assign(VOCABULARY.to_ours(rows))
    bias = ops.convert_to_numpy(model.decoder.embedding.bias).copy()
    bias[PAD] = 0  # Marian has no such token
    model.decoder.embedding.bias.assign(bias)
    read(written(model), other)
    for one, two in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("share_embeddings", [True, False])
def test_a_model_as_in_the_paper_becomes_one_of_marians(share_embeddings):
    """Alternating sinusoid, no bias, a START of its own: in Marian's way, the same."""
    model = random_model(share_embeddings=share_embeddings)
    tensors = written(model)
    assert not tensors[BIAS].any()
    pad = tensors[SHARED if share_embeddings else "model.decoder.embed_tokens.weight"]
    assert not pad[-1].any()
    other = marian_model(
        num_decoder_layers=None, activation="relu", share_embeddings=share_embeddings
    )
    read(tensors, other)
    proposed = slice(START + 1, None)  # PAD and START have no meaning there
    found, expected = logits(other)[..., proposed], logits(model)[..., proposed]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_where_start_has_a_share_of_the_probability_its_vector_stays():
    model = marian_model(forbidden_tokens=(PAD,))
    tensors = written(model)
    assert DECODER_TABLE not in tensors
    start = ops.convert_to_numpy(model.decoder.embedding.embeddings)[START]
    np.testing.assert_array_equal(tensors[SHARED][-1], start)


def test_tokens_that_fill_up_are_never_likely():
    tensors = written(marian_model(), LONGER)
    assert tensors[SHARED].shape == (7, 9)
    assert tensors[BIAS][0, 5] == FORBIDDEN_LOGIT
    assert not tensors[SHARED][5].any()


def test_the_same_matrix_may_go_by_several_names():
    tensors = written(marian_model())
    tensors[OUTPUT] = tensors[SHARED].copy()
    read(tensors, marian_model())
    tensors[OUTPUT][0, 0] += 1
    message = f"tensors {SHARED} and {OUTPUT}, which differ"
    with pytest.raises(ValueError, match=message):
        read(tensors, marian_model())


def test_a_missing_bias_is_none():
    tensors, model = written(marian_model()), marian_model()
    del tensors[BIAS]
    read(tensors, model)
    assert not ops.convert_to_numpy(model.decoder.embedding.bias).any()


def unread(tensors):
    tensors["model.encoder.layernorm_embedding.weight"] = np.zeros(9)


def missing(tensors):
    del tensors[FC1]


def misshapen(tensors):
    tensors[FC1] = tensors[FC1].T


def learned_positions(tensors):
    tensors[DECODER_TABLE] = position_table(20, 9) + 0.01


@pytest.mark.parametrize(
    "spoil, message",
    [
        (missing, f"without the tensor {FC1}, which the layers in config.json need"),
        (misshapen, rf"the tensor {FC1} of shape \(9, 12\), but .* need \(12, 9\)"),
        (unread, "1 tensors that .* no place for: model.encoder.layernorm_embedding"),
        (learned_positions, f"learned positions in the tensor {DECODER_TABLE}"),
        (lambda tensors: tensors.pop(SHARED), f"without the tensor {SHARED}"),
    ],
    ids=["missing", "misshapen", "unread", "learned positions", "no matrix"],
)
def test_a_wrong_tensor_is_named_and_nothing_is_changed(spoil, message):
    tensors, model = written(marian_model()), marian_model(scale_embeddings=False)
    spoil(tensors)
    before = [weight.copy() for weight in model.get_weights()]
    with pytest.raises(ValueError, match=f"load: got the file model.*{message}"):
        read(tensors, model)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(new, old)
