"""Search with the model's cache = search that runs the whole model at every step."""

import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.models.sequence_to_sequence import FORBIDDEN_LOGIT
from keras_attention.special_tokens import PAD, START

MAX_LENGTH = 9
SOURCE_IDS = np.array([[5, 6, 7, 3, 0], [8, 3, 0, 0, 0], [4, 4, 9, 10, 3]], "int32")


MODELS = {
    "norm_last": (ka.Transformer, {"num_heads": 3, "d_ff": 20}),
    "norm_first": (ka.Transformer, {"num_heads": 3, "d_ff": 20, "norm_first": True}),
    "recurrent": (ka.RecurrentSeq2Seq, {"cell": "gru", "attention": "additive"}),
}


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS)
def model(request):
    model_class, options = request.param
    model = model_class(11, 13, num_layers=2, d_model=12, **options)
    # The same on every backend, and wild enough for sentences to differ.
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        if len(weight.shape) == 2:
            weight.assign(random.normal(size=weight.shape))
    return model


def uncached(model, beams):
    """next_logits by teacher forcing: all positions anew, whatever was known before."""
    source_ids = ops.repeat(ops.convert_to_tensor(SOURCE_IDS), beams, axis=0)
    forbidden = np.isin(np.arange(13), [PAD, START])

    def next_logits(ids, step, cache):
        logits = model({"source_ids": source_ids, "target_ids": ids})  # (R, T, V)
        logits = ops.take(logits, step, axis=1)
        return ops.where(forbidden, FORBIDDEN_LOGIT, logits), cache

    return next_logits


def test_greedy_search_is_the_same_cached_and_not(model):
    next_logits, start_ids, cache = model.start_search(SOURCE_IDS, MAX_LENGTH)
    cached = ka.greedy_search(
        next_logits, start_ids, max_length=MAX_LENGTH, cache=cache
    )
    whole = ka.greedy_search(uncached(model, 1), start_ids, max_length=MAX_LENGTH)
    cached, whole = ops.convert_to_numpy(cached), ops.convert_to_numpy(whole)
    assert np.array_equal(cached, whole)
    assert len(np.unique(cached, axis=0)) > 1


def test_beam_search_is_the_same_cached_and_not(model):
    next_logits, start_ids, cache = model.start_search(SOURCE_IDS, MAX_LENGTH)
    settings = {"max_length": MAX_LENGTH, "beam_size": 4, "n_best": 4}
    cached = ka.beam_search(next_logits, start_ids, cache=cache, **settings)
    whole = ka.beam_search(uncached(model, 4), start_ids, **settings)
    ids = ops.convert_to_numpy(cached.ids)
    assert np.array_equal(ids, ops.convert_to_numpy(whole.ids))
    scores = [ops.convert_to_numpy(found.scores) for found in (cached, whole)]
    assert np.allclose(*scores, atol=1e-5)
    assert len(np.unique(ids.reshape(-1, MAX_LENGTH), axis=0)) > 4


def test_padding_the_source_further_changes_no_hypothesis(model):
    def search(source_ids):
        next_logits, start_ids, cache = model.start_search(source_ids, MAX_LENGTH)
        found = ka.beam_search(
            next_logits, start_ids, max_length=MAX_LENGTH, cache=cache
        )
        return ops.convert_to_numpy(found.ids), ops.convert_to_numpy(found.scores)

    ids, scores = search(SOURCE_IDS)
    padded_ids, padded_scores = search(np.pad(SOURCE_IDS, ((0, 0), (0, 3))))
    assert np.array_equal(ids, padded_ids)
    assert np.allclose(scores, padded_scores, atol=1e-5)


def test_padding_and_start_are_never_proposed(model):
    next_logits, start_ids, cache = model.start_search(SOURCE_IDS, MAX_LENGTH)
    ids = ops.full((3, MAX_LENGTH), PAD, dtype="int32")
    logits, _ = next_logits(ids, 0, cache)
    best = np.argsort(-ops.convert_to_numpy(logits), axis=-1)[:, :11]
    assert not np.isin(best, [PAD, START]).any()
