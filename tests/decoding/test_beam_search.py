import functools
import importlib
import math

import keras
import numpy as np
import pytest
from keras import ops
from table_models import (
    any_size,
    every_sentence,
    memory,
    padded,
    prefix_model,
    random_table,
    rank,
    reference_beam,
    reference_early_beam,
    reference_greedy,
    remembering_model,
    rows_of,
    run,
    score,
    sentence_of,
)

from keras_attention.decoding.beam_search import (
    Alive,
    BeamState,
    Candidates,
    Hypotheses,
    beam_search,
    drop,
    expand,
    finish,
    follow,
    keep_alive,
    keep_finished,
    never_positive,
    retire,
    start,
)
from keras_attention.decoding.length_penalty import penalize
from keras_attention.special_tokens import END, PAD, START

START_IDS = [START, 17, 23, 31, 40]  # not only START, for sentences that differ
A, B = 0, 1  # two words
INF = math.inf
OPTIONS = dict(max_length=7, beam_size=3, n_best=2)


def tensor(values, dtype="int32"):
    return ops.convert_to_tensor(np.array(values, dtype))


def numbers(x):
    return np.asarray(x).tolist()


def penalized(length_penalty):
    return functools.partial(penalize, length_penalty=length_penalty)


def assert_found(found, expected, max_length):
    """Compare what was found for one sentence with its (score, sentence) pairs."""
    ids, scores, log_probs = found
    assert (log_probs > -INF).tolist() == (scores > -INF).tolist()
    exists = scores > -INF
    assert ids[exists].tolist() == [padded(one, max_length) for _, one in expected]
    np.testing.assert_allclose(scores[exists], [s for s, _ in expected], rtol=1e-5)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("vocab_size, max_length", [(4, 5), (5, 4)])
def test_a_wide_beam_finds_the_best_of_all_sentences(
    vocab_size, max_length, length_penalty
):
    beam_size, n_best = (vocab_size - 1) ** (max_length - 2), 3
    for seed in range(3):
        table = random_table(vocab_size, seed)
        found = run(
            beam_search,
            prefix_model,
            table,
            START_IDS,
            max_length=max_length,
            beam_size=beam_size,
            n_best=n_best,
            length_penalty=length_penalty,
        )
        for start_id, *hypotheses in zip(START_IDS, *found):
            sentences = every_sentence(vocab_size, start_id, max_length)
            best = rank(table, sentences, length_penalty, n_best)
            assert_found(hypotheses, best, max_length)


@pytest.mark.parametrize("length_penalty", [0.0, 2.0])
@pytest.mark.parametrize("beam_size, n_best", [(1, 1), (2, 1), (3, 2), (4, 4)])
def test_a_narrow_beam_finds_what_its_definition_finds(
    beam_size, n_best, length_penalty
):
    for seed in range(3):
        table = random_table(vocab_size=11, seed=seed)
        found = run(
            beam_search,
            prefix_model,
            table,
            START_IDS,
            max_length=7,
            beam_size=beam_size,
            n_best=n_best,
            length_penalty=length_penalty,
        )
        for start_id, *hypotheses in zip(START_IDS, *found):
            expected = reference_beam(
                table, start_id, 7, beam_size, length_penalty, n_best
            )
            assert_found(hypotheses, expected, 7)


def test_a_beam_of_one_never_scores_below_greedy_search():
    table = random_table(vocab_size=11)
    _, scores, _ = run(
        beam_search, prefix_model, table, START_IDS, max_length=7, beam_size=1
    )
    for start_id, found in zip(START_IDS, scores[:, 0]):
        assert found >= score(table, reference_greedy(table, start_id, 7), 0.6) - 1e-5


def test_a_beam_of_one_is_greedy_search_where_the_model_is_sure():
    table = random_table(vocab_size=11, sharpness=50.0)
    ids, _, _ = run(
        beam_search,
        prefix_model,
        table,
        START_IDS,
        max_length=7,
        beam_size=1,
        length_penalty=0.0,
    )
    expected = [padded(reference_greedy(table, s, 7), 7) for s in START_IDS]
    assert ids[:, 0].tolist() == expected


@pytest.mark.parametrize("beam_size", [1, 2])
def test_a_finished_winner_is_neither_scored_again_nor_crowded_out(beam_size):
    """After START, A is likelier than END, but what follows A is anybody's guess.

    The winner has ended at once. It would lose if it had to go on scoring, since
    after END nothing is likely, and if it had to hold a place among the
    likeliest beginnings.
    """

    def next_logits(ids, step, cache):
        previous = ops.take(ids, step, axis=1)
        return ops.take(tensor(np.log(table), "float32"), previous, axis=0), cache

    table = np.full((4, 4), 0.25)  # A, B, START and END: their successors
    table[START] = [0.50, 0.04, 0.01, 0.45]
    table[END] = [1e-9, 1e-9, 1.0, 1e-9]
    ids, scores, _ = beam_search(
        next_logits, [START], max_length=5, beam_size=beam_size, length_penalty=0.0
    )
    assert numbers(ids) == [[[START, END, PAD, PAD, PAD]]]
    np.testing.assert_allclose(numbers(scores), [[math.log(0.45)]], rtol=1e-6)


@pytest.mark.parametrize("length_penalty", [0.6, 2.0])
def test_stopping_early_finds_what_running_to_the_limit_finds(
    length_penalty, monkeypatch
):
    def late_search(*arguments, **options):
        return beam_search(*arguments, **options)

    table = random_table(vocab_size=11)
    options = dict(OPTIONS, length_penalty=length_penalty)
    early = run(beam_search, prefix_model, table, START_IDS, **options)
    module = importlib.import_module("keras_attention.decoding.beam_search")
    monkeypatch.setattr(module, "retire", lambda log_probs, *_: log_probs)
    late = run(late_search, prefix_model, table, START_IDS, **options)
    assert early.ids.tolist() == late.ids.tolist()
    assert early.scores.tolist() == late.scores.tolist()


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="a loop traced once")
def test_the_search_stops_as_soon_as_nobody_can_win():
    steps = []

    def next_logits(ids, step, cache):
        steps.append(step)
        logits = np.zeros((3, 11), "float32")
        logits[:, END] = 20.0
        return ops.convert_to_tensor(logits), cache

    beam_search(next_logits, [START], max_length=50, beam_size=3)
    assert len(steps) == 1


@pytest.mark.parametrize("n_best", [1, 2])
def test_a_sentence_alone_is_the_same_as_among_others(n_best):
    table = random_table(vocab_size=11)
    limits = np.array([6, 7, 3, 4, 5], "int32")
    options = dict(OPTIONS, n_best=n_best)
    together = run(beam_search, prefix_model, table, START_IDS, limits, **options)
    for index, start_id in enumerate(START_IDS):
        limit = limits[index : index + 1]
        alone = run(beam_search, prefix_model, table, [start_id], limit, **options)
        assert alone.ids[0].tolist() == together.ids[index].tolist()
        assert alone.scores[0].tolist() == together.scores[index].tolist()


def test_a_limit_is_the_same_as_a_shorter_maximum():
    table = random_table(vocab_size=11)
    limits = np.array([2, 7, 3, 9, 5], "int32")
    found = run(beam_search, prefix_model, table, START_IDS, limits, **OPTIONS)
    for start_id, limit, *hypotheses in zip(START_IDS, limits, *found):
        expected = reference_beam(table, start_id, min(limit, 7), 3, 0.6, 2)
        assert_found(hypotheses, expected, 7)


def test_a_sentence_at_its_limit_pays_for_the_end_it_is_given():
    table = random_table(vocab_size=11)
    table[:, END] = -12.0
    ids, scores, _ = run(beam_search, prefix_model, table, START_IDS, **OPTIONS)
    for found_ids, found_score in zip(ids[:, 0], scores[:, 0]):
        assert found_ids[-1] == END
        assert found_score == pytest.approx(score(table, sentence_of(found_ids), 0.6))


def test_the_cache_follows_its_hypothesis():
    table = random_table(vocab_size=11)
    expected = run(beam_search, prefix_model, table, START_IDS, **OPTIONS)
    cache = memory(len(START_IDS), 7)
    found = run(
        beam_search, remembering_model, table, START_IDS, None, cache, **OPTIONS
    )
    assert found.ids.tolist() == expected.ids.tolist()
    assert found.scores.tolist() == expected.scores.tolist()


def test_a_forbidden_token_never_appears():
    table = random_table(vocab_size=11)
    table[:, [PAD, 5, 7]] = -np.inf
    found = run(beam_search, prefix_model, table, START_IDS, **OPTIONS)
    assert np.isfinite(found.scores).all()
    for start_id, *hypotheses in zip(START_IDS, *found):
        assert_found(hypotheses, reference_beam(table, start_id, 7, 3, 0.6, 2), 7)
        assert not {PAD, 5, 7} & set(sentence_of(hypotheses[0][0]))


def test_hypotheses_that_can_not_go_on_leave_the_others_alone():
    rng = np.random.default_rng(1)
    for seed in range(3):
        table = random_table(vocab_size=11, seed=seed)
        table[rng.random(table.shape) < 0.5] = -np.inf
        table[rng.random(len(table)) < 0.5] = -np.inf
        found = run(beam_search, prefix_model, table, START_IDS, **OPTIONS)
        for start_id, *hypotheses in zip(START_IDS, *found):
            expected = reference_beam(table, start_id, 7, 3, 0.6, 2)
            assert_found(hypotheses, expected, 7)


def test_sentences_that_do_not_exist_are_empty_and_score_minus_infinity():
    table = random_table(vocab_size=11)
    ids, scores, _ = run(
        beam_search, prefix_model, table, [START], max_length=2, n_best=2
    )
    assert ids.tolist() == [[[START, END], [START, PAD]]]
    assert np.isfinite(scores[0, 0]) and scores[0, 1] == -INF


@pytest.mark.parametrize("forbidden", [[END], range(11)], ids=["end", "everything"])
def test_a_model_that_can_not_end_has_no_sentences(forbidden):
    table = random_table(vocab_size=11)
    table[:, forbidden] = -np.inf
    ids, scores, _ = run(beam_search, prefix_model, table, START_IDS, **OPTIONS)
    assert (ids[:, :, 1:] == PAD).all() and (ids[:, :, 0].T == START_IDS).all()
    assert (scores == -INF).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_are_added_up_in_float32(dtype):
    exact = random_table(vocab_size=11)

    def half_model(table):
        return prefix_model(ops.cast(table, dtype))

    found = run(beam_search, half_model, exact, START_IDS, **OPTIONS)
    rounded = np.asarray(ops.cast(ops.cast(exact, dtype), "float32"))
    assert found.scores.dtype == "float32"
    for start_id, *hypotheses in zip(START_IDS, *found):
        assert_found(hypotheses, reference_beam(rounded, start_id, 7, 3, 0.6, 2), 7)


def test_a_long_vocabulary_is_searched_like_a_short_one():
    table = random_table(vocab_size=2048)
    found = run(beam_search, prefix_model, table, START_IDS, max_length=5, beam_size=2)
    for start_id, *hypotheses in zip(START_IDS, *found):
        assert_found(hypotheses, reference_beam(table, start_id, 5, 2, 0.6, 1), 5)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
def test_the_log_probability_is_that_of_the_sentence_whatever_the_penalty(
    length_penalty,
):
    table = random_table(vocab_size=11)
    options = dict(OPTIONS, length_penalty=length_penalty)
    found = run(beam_search, prefix_model, table, START_IDS, **options)
    for ids, log_probs in zip(found.ids, found.log_probs):
        expected = [score(table, sentence_of(one), 0.0) for one in ids]
        np.testing.assert_allclose(log_probs, expected, rtol=1e-5)


def sharing_model(table):
    """The same model, but the first token of each sentence is known from a memory."""

    def next_logits(ids, step, cache, firsts):
        firsts = ops.repeat(firsts, ids.shape[0] // firsts.shape[0], axis=0)
        positions = ops.arange(ops.shape(ids)[1])
        ids = ops.where(positions == 0, firsts[:, None], ids)
        return ops.take(table, rows_of(ids, step, ops), axis=0), cache

    return next_logits


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="tensors may not shrink")
@pytest.mark.parametrize("n_best", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_dropping_sentences_that_are_done_changes_nothing(n_best, seed):
    table = random_table(vocab_size=11, seed=seed)
    table[:, END] += 2.0  # they end at different times
    limits = np.array([6, 7, 3, 2, 7], "int32")
    options = dict(OPTIONS, n_best=n_best)
    expected = run(beam_search, prefix_model, table, START_IDS, limits, **options)
    cache = memory(len(START_IDS), 7)
    found = run(
        beam_search,
        remembering_model,
        table,
        START_IDS,
        limits,
        cache,
        drop_done=True,
        **options,
    )
    assert found.ids.tolist() == expected.ids.tolist()
    assert found.scores.tolist() == expected.scores.tolist()
    assert found.log_probs.tolist() == expected.log_probs.tolist()


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="tensors may not shrink")
def test_sentences_that_are_done_cost_nothing():
    rows = []

    def next_logits(ids, step, cache, ends):
        rows.append(ids.shape[0])
        sure = ops.repeat(ends == step, 2)[:, None]  # ends at its own step
        return ops.where(sure, tensor(likely_end), tensor(likely_word)), cache

    likely_end = np.full((1, 11), -30.0, "float32")
    likely_word = likely_end.copy()
    likely_end[:, END] = likely_word[:, A] = likely_word[:, B] = 0.0
    ids, _, _ = beam_search(
        next_logits,
        [START] * 3,
        max_length=9,
        beam_size=2,
        length_penalty=0.0,
        memory=tensor([4, 0, 2]),
        drop_done=True,
    )
    assert rows == [6, 4, 4, 2, 2]
    assert [sentence_of(one).index(END) for one in np.asarray(ids)[:, 0]] == [5, 1, 3]


def test_a_memory_reaches_the_model_with_one_row_for_each_sentence():
    table = random_table(vocab_size=11)
    expected = run(beam_search, prefix_model, table, START_IDS, **OPTIONS)
    shared = ops.convert_to_tensor(np.array(START_IDS, "int32"))
    found = beam_search(
        sharing_model(tensor(table, "float32")),
        [START] * len(START_IDS),
        memory=shared,
        **OPTIONS,
    )
    assert numbers(found.ids[:, :, 1:]) == expected.ids[:, :, 1:].tolist()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)


def test_no_sentences_give_no_sentences():
    table = random_table(vocab_size=11)
    found = run(beam_search, prefix_model, table, [], **OPTIONS)
    assert found.ids.shape == (0, 2, 7) and found.scores.shape == (0, 2)


def some_hypotheses(ids, scores):
    """Hypotheses (1, n_best, ...), where no length is penalized."""
    scores = tensor([scores], "float32")
    return Hypotheses(tensor([ids]), scores, scores)


def some_state(**changes):
    """One sentence, two hypotheses alive, one that has ended; next comes position 2."""
    ended = some_hypotheses([[START, END, PAD, PAD]], [-3.0])
    state = BeamState(
        step=tensor(1),
        sentences=tensor([0]),
        limits=tensor([4]),
        ids=tensor([[[START, A, PAD, PAD], [START, B, PAD, PAD]]]),
        log_probs=tensor([[-1.0, -2.0]], "float32"),
        finished=ended,
        results=ended,
        cache={"tokens": tensor([[A], [B]])},
        memory=(),
    )
    return state._replace(**changes)


def test_a_search_starts_with_one_hypothesis_and_a_cache_for_all():
    limits, sources = tensor([3, 3]), tensor([[5], [6]])
    state = start(tensor([START, 9]), limits, 3, 2, 1, [sources], (sources,))
    assert numbers(state.ids) == [[[START, 0, 0]] * 2, [[9, 0, 0]] * 2]
    assert numbers(state.log_probs) == [[0.0, -INF]] * 2
    assert numbers(state.finished.ids) == [[[START, 0, 0]], [[9, 0, 0]]]
    assert numbers(state.finished.scores) == [[-INF]] * 2
    assert numbers(state.cache[0]) == [[5], [5], [6], [6]]
    assert numbers(state.memory[0]) == [[5], [6]]


def test_candidates_are_the_best_of_all_hypotheses_together():
    probabilities = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]], "float32")
    state = some_state(log_probs=tensor(np.log([[0.6, 0.3]]), "float32"))
    logits = tensor(np.log(probabilities) + 5.0, "float32")
    found = expand(state, logits, END)
    np.testing.assert_allclose(
        np.exp(numbers(found.log_probs)), [[0.24, 0.21, 0.18, 0.12]], rtol=1e-5
    )
    assert numbers(found.beams) == [[0, 1, 0, 0]]
    assert numbers(found.tokens) == [[END, A, START, B]]


def test_at_the_limit_every_candidate_ends():
    log_probs = tensor(np.log([[0.6, 0.3], [0.6, 0.3]]), "float32")
    state = some_state(log_probs=log_probs, limits=tensor([3, 4]))
    found = expand(state, tensor(np.zeros((4, 5)), "float32"), END)
    possible = np.asarray(found.log_probs) > -INF
    assert possible.tolist() == [[True, True, False, False], [True] * 4]
    assert numbers(found.tokens)[0][:2] == [END, END]
    assert numbers(found.beams)[0][:2] == [0, 1]


def test_a_better_sentence_takes_the_place_of_one_that_has_ended():
    candidates = Candidates(
        tensor([[-1.5, -2.5]], "float32"), tensor([[0, 1]]), tensor([[B, END]])
    )
    found = keep_finished(some_state(), candidates, END, penalized(0.0))
    assert numbers(found.ids) == [[[START, B, END, PAD]]]
    assert numbers(found.scores) == numbers(found.log_probs) == [[-2.5]]


def test_a_worse_sentence_leaves_the_one_that_has_ended_as_it_was():
    candidates = Candidates(
        tensor([[-1.5, -3.5]], "float32"), tensor([[0, 1]]), tensor([[B, END]])
    )
    found = keep_finished(some_state(), candidates, END, penalized(0.0))
    assert numbers(found.ids) == [[[START, END, PAD, PAD]]]
    assert numbers(found.scores) == numbers(found.log_probs) == [[-3.0]]


def test_a_final_penalty_is_paid_by_the_hypothesis_that_ends():
    candidates = Candidates(
        tensor([[-1.5, -2.5]], "float32"), tensor([[0, 1]]), tensor([[END, END]])
    )
    penalties = tensor([-1.25, 0.0], "float32")
    found = keep_finished(some_state(), candidates, END, penalized(0.0), penalties)
    assert numbers(found.ids) == [[[START, B, END, PAD]]]
    assert numbers(found.scores) == [[-2.5]]
    penalties = tensor([-0.25, -1.0], "float32")
    found = keep_finished(some_state(), candidates, END, penalized(0.0), penalties)
    assert numbers(found.ids) == [[[START, A, END, PAD]]]
    assert numbers(found.scores) == [[-1.75]]
    assert numbers(found.log_probs) == [[-1.5]]


def test_those_that_stay_alive_take_their_cache_along():
    candidates = Candidates(
        tensor([[-1.5, -2.5, -2.6, -2.7]], "float32"),
        tensor([[0, 1, 1, 0]]),
        tensor([[END, B, A, A]]),
    )
    state = follow(some_state(), keep_alive(candidates, END, beam_size=2))
    assert numbers(state.step) == 2
    assert numbers(state.ids) == [[[START, B, B, PAD], [START, B, A, PAD]]]
    np.testing.assert_allclose(numbers(state.log_probs), [[-2.5, -2.6]])
    assert numbers(state.cache["tokens"]) == [[B], [B]]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("beam_size, n_best", [(1, 1), (3, 2), (4, 4)])
def test_a_search_that_is_not_complete_finds_what_hugging_face_finds(
    beam_size, n_best, length_penalty
):
    for seed in range(3):
        table = random_table(vocab_size=11, seed=seed)
        found = run(
            beam_search,
            prefix_model,
            table,
            START_IDS,
            max_length=7,
            beam_size=beam_size,
            n_best=n_best,
            length_penalty=length_penalty,
            length_offset=0.0,
            complete=False,
        )
        for start_id, *hypotheses in zip(START_IDS, *found):
            expected = reference_early_beam(
                table, start_id, 7, beam_size, length_penalty, n_best
            )
            assert_found(hypotheses, expected, 7)


def test_only_the_best_candidates_may_be_counted_as_ended():
    candidates = Candidates(
        tensor([[-1.5, -2.5]], "float32"), tensor([[0, 1]]), tensor([[B, END]])
    )
    found = keep_finished(some_state(), candidates, END, penalized(0.0), counted=1)
    assert numbers(found.scores) == [[-3.0]]


@pytest.mark.parametrize("renormalize, first", [(False, 0.25), (True, 0.5)])
def test_what_is_forbidden_may_leave_its_probability_to_the_rest(renormalize, first):
    probabilities = np.array([[0.25, 0.25, 0.5, 1e-9, 1e-9]] * 2)
    log_probs = tensor([[0.0, -INF]], "float32")
    state = some_state(log_probs=log_probs, limits=tensor([9]))
    logits = tensor(np.log(probabilities), "float32")

    def forbid_the_likeliest(log_probs, *_):
        return ops.where(ops.arange(5) == 2, -INF, log_probs)

    found = expand(state, logits, END, [forbid_the_likeliest], renormalize)
    best = np.exp(numbers(found.log_probs))[0][:2]
    np.testing.assert_allclose(best, first, rtol=1e-5)


def test_the_end_that_the_limit_forces_may_be_free():
    log_probs = tensor(np.log([[0.6, 0.3]]), "float32")
    state = some_state(log_probs=log_probs, limits=tensor([3]))
    logits = tensor(np.zeros((2, 5)), "float32")
    found = expand(state, logits, END, free_end=True)
    np.testing.assert_allclose(np.exp(numbers(found.log_probs))[0][:2], [0.6, 0.3])


def alive_with(log_probs):
    zeros = tensor(np.zeros(np.shape(log_probs)))
    return Alive(tensor(log_probs, "float32"), zeros, zeros)


def test_a_sentence_retires_when_its_best_can_not_be_overtaken():
    alive = alive_with([[-4.0, -5.0], [-2.0, -5.0]])
    finished_scores = tensor([[-1.0, -3.0], [-1.0, -3.0]], "float32")
    kept = retire(alive, finished_scores, tensor([8, 8]), penalized(0.0))
    assert numbers(kept.log_probs) == [[-INF, -INF], [-2.0, -5.0]]


def test_a_sentence_goes_on_while_length_may_still_lift_it():
    alive = alive_with([[-4.0, -5.0]] * 2)  # -4 / ((5 + 7) / 6) = -2
    finished_scores = tensor([[-2.5]] * 2, "float32")
    kept = retire(alive, finished_scores, tensor([8, 2]), penalized(1.0))
    assert numbers(kept.log_probs) == [[-4.0, -5.0], [-INF, -INF]]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="tensors may not shrink")
def test_a_sentence_that_is_done_is_laid_aside_and_its_rows_are_dropped():
    ids = tensor([[[START, word, PAD]] * 2 for word in (5, 6, 7)])
    finished = Hypotheses(
        tensor([[[START, END, PAD]], [[START, A, END]], [[START, B, END]]]),
        tensor([[-1.0], [-2.0], [-3.0]], "float32"),
        tensor([[-1.0], [-2.0], [-3.0]], "float32"),
    )
    nothing = Hypotheses(
        tensor(np.zeros((4, 1, 3))),
        tensor([[-INF]] * 4, "float32"),
        tensor([[-INF]] * 4, "float32"),
    )
    alive = Alive(
        tensor([[-1.0, -2.0], [-INF, -INF], [-3.0, -4.0]], "float32"),
        tensor([[0, 1], [2, 3], [5, 4]]),
        tensor([[A, B], [A, B], [B, A]]),
    )
    state = some_state(
        sentences=tensor([0, 2, 3]),
        limits=tensor([7, 8, 9]),
        ids=ids,
        log_probs=alive.log_probs,
        finished=finished,
        results=nothing,
        cache=tensor([[0], [1], [2], [3], [4], [5]]),
        memory=(tensor([[10], [20], [30]]),),
    )
    state = follow(*drop(state, alive))
    assert numbers(state.sentences) == [0, 3]
    assert numbers(state.limits) == [7, 9]
    assert numbers(state.results.scores)[2] == [-2.0]
    assert numbers(state.results.ids)[2] == [[START, A, END]]
    assert numbers(state.results.scores)[1] == [-INF]
    assert numbers(state.finished.scores) == [[-1.0], [-3.0]]
    assert numbers(state.ids) == [
        [[START, 5, A], [START, 5, B]],
        [[START, 7, B], [START, 7, A]],
    ]
    assert numbers(state.cache) == [[0], [1], [5], [4]]
    assert numbers(state.memory[0]) == [[10], [30]]


def test_a_sentence_that_does_not_exist_keeps_only_its_first_token():
    found = finish(some_hypotheses([[START, A, B, PAD]], [-INF]))
    assert isinstance(found, Hypotheses)
    assert numbers(found.ids) == [[[START, PAD, PAD, PAD]]]
    assert numbers(found.scores) == [[-INF]]


def test_rounding_never_makes_a_sentence_likelier():
    log_probs = never_positive(tensor([1e-7, -2.0, -INF, math.nan], "float32"))
    assert numbers(log_probs) == [0.0, -2.0, -INF, -INF]


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(beam_size=0), "beam_size=0.*at least 1"),
        (dict(beam_size=2, n_best=3), "n_best=3 and beam_size=2.*from 1 to 2"),
        (dict(n_best=0), "n_best=0 and beam_size=4.*from 1 to 4"),
        (dict(length_penalty=-0.5), "length_penalty=-0.5.*Use 0 or more"),
        (dict(length_penalty=math.nan), "length_penalty=nan.*Use 0 or more"),
        (dict(length_offset=-1), "length_offset=-1.*Use 0 or more"),
        (dict(max_length=1), "max_length=1.*at least 2"),
        (dict(start_ids=[[START]]), r"start_ids of shape \(1, 1\).*shape \(B,\)"),
        (
            dict(length_limits=np.array([[5]], "int32")),
            r"length_limits of shape \(1, 1\).*shape \(B,\)",
        ),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(options, message):
    options = {"start_ids": [START], "max_length": 5, **options}
    with pytest.raises(ValueError, match=f"beam_search: got {message}"):
        beam_search(None, **options)


@pytest.mark.tensorflow
def test_one_graph_serves_every_batch_and_length():
    import tensorflow as tf

    table = random_table(vocab_size=11)
    options = dict(beam_size=3, n_best=2)
    traces = []

    @tf.function(input_signature=any_size())
    def search(start_ids, max_length):
        traces.append(start_ids)
        history = tf.zeros((tf.size(start_ids), max_length), "int32")
        cache = {"past": [history, tf.zeros_like(start_ids)]}
        next_logits = remembering_model(tf.constant(table))
        return beam_search(
            next_logits, start_ids, max_length=max_length, cache=cache, **options
        )

    for start_ids, max_length in (START_IDS, 7), (START_IDS[:3], 5):
        expected = run(
            beam_search,
            prefix_model,
            table,
            start_ids,
            max_length=max_length,
            **options,
        )
        found = search(tf.constant(start_ids), tf.constant(max_length))
        assert found.ids.numpy().tolist() == expected.ids.tolist()
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
    assert len(traces) == 1


@pytest.mark.tensorflow
@pytest.mark.parametrize("batch", [None, 5])
@pytest.mark.parametrize("length", [None, 7])
def test_a_graph_may_know_its_sizes_or_not(batch, length):
    import tensorflow as tf

    table = random_table(vocab_size=11)
    options = dict(beam_size=3, n_best=2)

    batches = tf.TensorSpec([batch], "int32"), tf.TensorSpec([5, 7], "int32")

    @tf.function(input_signature=batches)
    def search(start_ids, history):
        max_length = length or tf.shape(history)[1]
        cache = {"past": [history[:, :max_length], tf.zeros((5,), "int32")]}
        next_logits = remembering_model(tf.constant(table))
        return beam_search(
            next_logits, start_ids, max_length=max_length, cache=cache, **options
        )

    expected = run(beam_search, prefix_model, table, START_IDS, **OPTIONS)
    found = search(tf.constant(START_IDS), tf.zeros((5, 7), "int32"))
    assert found.ids.numpy().tolist() == expected.ids.tolist()


@pytest.mark.tensorflow
def test_the_graph_holds_only_operations_that_every_server_has():
    import tensorflow as tf

    table = random_table(vocab_size=2048)

    @tf.function(input_signature=any_size())
    def search(start_ids, max_length):
        next_logits = prefix_model(tf.constant(table))
        return beam_search(next_logits, start_ids, max_length=max_length)

    graph = search.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    operations = {node.op for node in nodes}
    assert {"TopKV2", "GatherV2"} <= operations  # the body of the loop is among them
    foreign = ("Xla", "PyFunc", "EagerPyFunc")
    assert not [name for name in operations if name.startswith(foreign)]


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="about jax.jit")
def test_one_compilation_serves_all_numbers():
    import jax

    traces = []

    @jax.jit
    def search(table, start_ids):
        traces.append(start_ids)
        return beam_search(prefix_model(table), start_ids, max_length=7)

    start_ids = np.array(START_IDS, "int32")
    for seed in range(2):
        table = random_table(vocab_size=11, seed=seed)
        found = keras.tree.map_structure(np.asarray, search(table, start_ids))
        for start_id, *hypotheses in zip(START_IDS, *found):
            assert_found(hypotheses, reference_beam(table, start_id, 7, 4, 0.6, 1), 7)
    assert len(traces) == 1
