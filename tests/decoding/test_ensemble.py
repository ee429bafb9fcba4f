import keras
import numpy as np
import pytest
from keras import ops
from table_models import (
    every_sentence,
    memory,
    padded,
    prefix_model,
    random_table,
    rank,
    reference_beam,
    reference_greedy,
    remembering_model,
    run,
)

import keras_attention as ka
from keras_attention.decoding.beam_search import beam_search
from keras_attention.decoding.ensemble import ensemble
from keras_attention.decoding.greedy_search import greedy_search
from keras_attention.special_tokens import END, PAD, START

START_IDS = [START, 17, 23, 31, 40]  # not only START, for sentences that differ
FORBIDDEN_LOGIT = -1e9


def softmax(logits):
    logits = np.asarray(logits, "float64")
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def two_tables(vocab_size):
    """(2, 997, V): two models. They do not agree, nor do they with their mean."""
    return np.stack([random_table(vocab_size, seed) for seed in (0, 1)])


def mean_table(tables):
    """The one table whose model is the ensemble of all."""
    return np.log(softmax(tables).mean(axis=0))


def two_models(tables):
    """The second one knows the past from its cache alone."""
    models = prefix_model(tables[0]), remembering_model(tables[1])
    return ensemble([(model, None, None) for model in models])[0]


def caches(num_sentences, max_length):
    return [(), memory(num_sentences, max_length)]


def test_an_ensemble_of_one_is_that_model():
    def alone(table):
        return ensemble([(prefix_model(table), None, ())])[0]

    table = random_table(vocab_size=11)
    options = {"max_length": 7, "beam_size": 3, "n_best": 2}
    expected = run(beam_search, prefix_model, table, START_IDS, **options)
    found = run(beam_search, alone, table, START_IDS, None, [()], **options)
    assert found.ids.tolist() == expected.ids.tolist()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)


def test_a_wide_beam_finds_the_best_of_all_sentences():
    tables, max_length = two_tables(4), 5
    found = run(
        beam_search,
        two_models,
        tables,
        START_IDS,
        None,
        caches(len(START_IDS), max_length),
        max_length=max_length,
        beam_size=27,
        n_best=3,
    )
    for start_id, ids, scores in zip(START_IDS, found.ids, found.scores):
        sentences = every_sentence(4, start_id, max_length)
        best = rank(mean_table(tables), sentences, 0.6, 3)
        assert ids.tolist() == [padded(one, max_length) for _, one in best]
        np.testing.assert_allclose(scores, [each for each, _ in best], rtol=1e-5)


def test_a_narrow_beam_finds_what_its_definition_finds():
    tables = two_tables(11)
    options = {"max_length": 7, "beam_size": 3, "n_best": 2}
    found = run(
        beam_search, two_models, tables, START_IDS, None, caches(5, 7), **options
    )
    for start_id, ids, scores in zip(START_IDS, found.ids, found.scores):
        best = reference_beam(mean_table(tables), start_id, 7, 3, 0.6, 2)
        assert ids.tolist() == [padded(one, 7) for _, one in best]
        np.testing.assert_allclose(scores, [each for each, _ in best], rtol=1e-5)


def test_greedy_search_takes_the_token_that_is_likeliest_on_average():
    tables = two_tables(11)
    ids = run(
        greedy_search,
        two_models,
        tables,
        START_IDS,
        None,
        caches(len(START_IDS), 7),
        max_length=7,
    )
    expected = [reference_greedy(mean_table(tables), s, 7) for s in START_IDS]
    assert ids.tolist() == [padded(one, 7) for one in expected]
    for table in tables:
        assert expected != [reference_greedy(table, s, 7) for s in START_IDS]


def test_start_ids_are_the_first_members_and_caches_are_side_by_side():
    first = (prefix_model(random_table(11)), "first ids", {"a": 1})
    second = (prefix_model(random_table(11)), "second ids", ())
    _, start_ids, found = ensemble(iter([first, second]))
    assert start_ids == "first ids"
    assert found == [{"a": 1}, ()]


MAX_LENGTH = 9
SOURCE_IDS = np.array([[5, 6, 7, 3, 0], [8, 3, 0, 0, 0], [4, 4, 9, 10, 3]], "int32")


@pytest.fixture(scope="module")
def transformers():
    """Two that differ in size and in weights, over one vocabulary."""
    keras.utils.set_random_seed(1)
    sizes = [
        {"num_layers": 1, "d_model": 12, "num_heads": 3, "d_ff": 20},
        {"num_layers": 2, "d_model": 8, "num_heads": 2, "d_ff": 12},
    ]
    models = [ka.Transformer(11, 13, **size) for size in sizes]
    for model in models:
        for weight in model.trainable_weights:
            weight.assign(2 * weight)
    return models


def uncached(models, beams):
    """The mean by teacher forcing: every position anew, with both models."""
    source_ids = ops.repeat(ops.convert_to_tensor(SOURCE_IDS), beams, axis=0)
    forbidden = np.isin(np.arange(13), [PAD, START])

    def next_logits(ids, step, cache):
        total = 0.0
        for model in models:
            logits = model({"source_ids": source_ids, "target_ids": ids})
            logits = ops.take(logits, step, axis=1)
            logits = ops.where(forbidden, FORBIDDEN_LOGIT, logits)
            total = total + ops.softmax(logits)
        return ops.log(total / len(models)), cache

    return next_logits


def test_greedy_search_over_real_models_is_that_over_their_mean(transformers):
    members = [model.start_search(SOURCE_IDS, MAX_LENGTH) for model in transformers]
    next_logits, start_ids, cache = ensemble(members)
    found = greedy_search(next_logits, start_ids, max_length=MAX_LENGTH, cache=cache)
    expected = greedy_search(
        uncached(transformers, 1), start_ids, max_length=MAX_LENGTH
    )
    assert np.asarray(found).tolist() == np.asarray(expected).tolist()


def test_beam_search_over_real_models_is_that_over_their_mean(transformers):
    members = [model.start_search(SOURCE_IDS, MAX_LENGTH) for model in transformers]
    next_logits, start_ids, cache = ensemble(members)
    options = {"max_length": MAX_LENGTH, "beam_size": 4, "n_best": 4}
    found = beam_search(next_logits, start_ids, cache=cache, **options)
    expected = beam_search(uncached(transformers, 4), start_ids, **options)
    ids, scores, *_ = map(ops.convert_to_numpy, found)
    assert ids.tolist() == ops.convert_to_numpy(expected.ids).tolist()
    expected_scores = ops.convert_to_numpy(expected.scores)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)
    assert len(np.unique(ids.reshape(-1, MAX_LENGTH), axis=0)) > 4
    assert (ids == END).any()


@pytest.mark.tensorflow
def test_one_graph_serves_every_batch(transformers):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None, None], "int32")])
    def search(source_ids):
        members = [model.start_search(source_ids, MAX_LENGTH) for model in transformers]
        next_logits, start_ids, cache = ensemble(members)
        return beam_search(next_logits, start_ids, max_length=MAX_LENGTH, cache=cache)

    whole = search(SOURCE_IDS)
    for index in range(len(SOURCE_IDS)):
        one = search(SOURCE_IDS[index : index + 1])
        assert one.ids.numpy().tolist() == [whole.ids[index].numpy().tolist()]
        np.testing.assert_allclose(one.scores[0], whole.scores[index], rtol=1e-5)


def test_an_ensemble_without_members_is_refused():
    with pytest.raises(ValueError, match=r"ensemble: got members=\[\], but"):
        ensemble([])


def test_models_over_different_vocabularies_are_refused():
    members = [(prefix_model(random_table(size)), None, ()) for size in (11, 7)]
    next_logits, _, cache = ensemble(members)
    ids = ops.convert_to_tensor([[START, PAD]], dtype="int32")
    with pytest.raises(ValueError, match=r"vocabularies of \[11, 7\] tokens"):
        next_logits(ids, 0, cache)
