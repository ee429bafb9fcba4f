import keras
import numpy as np
import pytest
from table_models import (
    any_size,
    memory,
    padded,
    prefix_model,
    random_table,
    reference_greedy,
    remembering_model,
    run,
)

from keras_attention.decoding.greedy_search import greedy_search
from keras_attention.special_tokens import END, PAD, START

START_IDS = [START, 17, 23, 31, 40]  # not only START, for sentences that differ


@pytest.mark.parametrize("seed", range(3))
def test_each_token_is_the_most_likely_one_after_those_before(seed):
    table = random_table(vocab_size=11, seed=seed)
    ids = run(greedy_search, prefix_model, table, START_IDS, max_length=7)
    expected = [padded(reference_greedy(table, s, 7), 7) for s in START_IDS]
    assert ids.tolist() == expected
    assert ids.dtype == "int32"


def test_a_sentence_ends_at_its_own_limit_with_the_end_token():
    table = random_table(vocab_size=11)
    table[:, END] = -np.inf
    limits = np.array([2, 7, 3, 9, 5], "int32")
    ids = run(greedy_search, prefix_model, table, START_IDS, limits, max_length=7)
    for row, limit in zip(ids, np.minimum(limits, 7)):
        assert row[limit - 1] == END
        assert (row[: limit - 1] != END).all()
        assert (row[limit:] == PAD).all()


def test_a_sentence_alone_is_the_same_as_among_others():
    table = random_table(vocab_size=11)
    limits = np.array([6, 7, 3, 4, 5], "int32")
    together = run(greedy_search, prefix_model, table, START_IDS, limits, max_length=7)
    for index, start_id in enumerate(START_IDS):
        alone = run(
            greedy_search,
            prefix_model,
            table,
            [start_id],
            limits[index : index + 1],
            max_length=7,
        )
        assert alone[0].tolist() == together[index].tolist()


def test_the_cache_is_handed_on_from_step_to_step():
    table = random_table(vocab_size=11)
    options = dict(max_length=7)
    expected = run(greedy_search, prefix_model, table, START_IDS, **options)
    cache = memory(len(START_IDS), 7)
    ids = run(
        greedy_search, remembering_model, table, START_IDS, None, cache, **options
    )
    assert ids.tolist() == expected.tolist()


def test_another_end_token_may_be_chosen():
    table = random_table(vocab_size=11)
    table[:, 5] = 9.0
    ids = run(greedy_search, prefix_model, table, [START], max_length=7, end_id=5)
    assert ids.tolist() == [[START, 5, PAD, PAD, PAD, PAD, PAD]]


def test_no_sentences_give_no_sentences():
    table = random_table(vocab_size=11)
    assert run(greedy_search, prefix_model, table, [], max_length=7).shape == (0, 7)


def test_a_length_without_room_for_an_end_is_refused():
    with pytest.raises(ValueError, match="greedy_search: got max_length=1"):
        greedy_search(None, [START], max_length=1)


def test_start_ids_with_a_second_axis_are_refused():
    with pytest.raises(ValueError, match=r"greedy_search: got start_ids of.*\(1, 1\)"):
        greedy_search(None, [[START]], max_length=7)


def test_limits_with_a_second_axis_are_refused():
    limits = np.array([[7]], "int32")
    with pytest.raises(ValueError, match=r"got length_limits of shape \(1, 1\)"):
        greedy_search(None, [START], max_length=7, length_limits=limits)


@pytest.mark.tensorflow
def test_one_graph_serves_every_batch_and_length():
    import tensorflow as tf

    table = random_table(vocab_size=11)
    traces = []

    @tf.function(input_signature=any_size())
    def search(start_ids, max_length):
        traces.append(start_ids)
        return greedy_search(
            prefix_model(tf.constant(table)), start_ids, max_length=max_length
        )

    for start_ids, max_length in (START_IDS, 7), (START_IDS[:3], 5):
        expected = run(
            greedy_search, prefix_model, table, start_ids, max_length=max_length
        )
        ids = search(tf.constant(start_ids), tf.constant(max_length))
        assert ids.numpy().tolist() == expected.tolist()
    assert len(traces) == 1


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="about jax.jit")
def test_one_compilation_serves_all_numbers():
    import jax

    traces = []

    @jax.jit
    def search(table, start_ids):
        traces.append(start_ids)
        return greedy_search(prefix_model(table), start_ids, max_length=7)

    start_ids = np.array(START_IDS, "int32")
    for seed in range(2):
        table = random_table(vocab_size=11, seed=seed)
        expected = [padded(reference_greedy(table, s, 7), 7) for s in START_IDS]
        assert np.asarray(search(table, start_ids)).tolist() == expected
    assert len(traces) == 1
