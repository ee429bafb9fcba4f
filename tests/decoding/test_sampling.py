import itertools

import keras
import numpy as np
import pytest
from keras import ops
from table_models import (
    any_size,
    every_sentence,
    log_probs_after,
    memory,
    padded,
    prefix_model,
    random_table,
    reference_greedy,
    remembering_model,
    run,
    sentence_of,
)

from keras_attention.decoding.constraints import (
    forbid_end_before,
    forbid_repeated_ngrams,
    force_prefix,
    suppress_tokens,
)
from keras_attention.decoding.sampling import (
    draw,
    in_nucleus,
    likeliest,
    relative_weights,
    sample,
    sample_at,
)
from keras_attention.special_tokens import END, PAD, START

START_IDS = [START, 17, 23, 31, 40]  # not only START, for sentences that differ
MANY = 20_000


def tensor(values, dtype="float32"):
    return ops.convert_to_tensor(np.array(values, dtype))


def numbers(x):
    return np.asarray(x).tolist()


def reference_distribution(logits, temperature=1.0, top_k=None, top_p=None):
    """(V,), float64: what each token should be drawn with, from the definitions."""
    probabilities = np.exp((logits - logits.max()) / temperature)
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities, kind="stable")
    if top_k is not None:
        probabilities[order[top_k:]] = 0
        probabilities /= probabilities.sum()
    if top_p is not None:
        count = 1
        while probabilities[order[:count]].sum() < top_p - 1e-9:
            count += 1
        probabilities[order[count:]] = 0
        probabilities /= probabilities.sum()
    return probabilities


def assert_drawn_from(probabilities, counts):
    """Chi-square at 6 standard deviations, and nothing that is impossible."""
    assert not counts[probabilities == 0].any()
    possible = probabilities > 0
    expected = probabilities[possible] * counts.sum()
    chi_square = ((counts[possible] - expected) ** 2 / expected).sum()
    freedom = possible.sum() - 1
    assert chi_square <= freedom + 6 * np.sqrt(2 * freedom)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 3.0},
        {"top_k": 3},
        {"top_k": 11},
        {"top_p": 0.7},
        {"top_p": 1.0},
        {"temperature": 1.5, "top_k": 6, "top_p": 0.8},
    ],
    ids=str,
)
def test_tokens_are_drawn_as_often_as_their_probabilities_say(options):
    table = random_table(vocab_size=11, sharpness=1.0)
    start_ids = [START] * MANY
    ids = run(sample, prefix_model, table, start_ids, max_length=3, **options)
    counts = np.bincount(ids[:, 1], minlength=11)
    logits = log_probs_after(table, (START,))
    assert_drawn_from(reference_distribution(logits, **options), counts)


def test_whole_sentences_are_drawn_as_often_as_their_probabilities_say():
    table = random_table(vocab_size=4, sharpness=1.0)
    ids = run(sample, prefix_model, table, [START] * MANY, max_length=4)
    sentences = list(every_sentence(4, START, 4))
    probabilities = np.array([probability(table, one, 4) for one in sentences])
    np.testing.assert_allclose(probabilities.sum(), 1.0)
    places = {one: place for place, one in enumerate(sentences)}
    drawn = [places[sentence_of(row)] for row in ids]
    assert_drawn_from(probabilities, np.bincount(drawn, minlength=len(sentences)))


def probability(table, sentence, max_length):
    """P(y), where a token at the limit is not drawn but given."""
    drawn = range(1, min(len(sentence), max_length - 1))
    log_probs = [
        log_probs_after(table, sentence[:position])[sentence[position]]
        for position in drawn
    ]
    return np.exp(sum(log_probs))


@pytest.mark.parametrize(
    "options", [{"top_k": 1}, {"top_p": 1e-3}, {"top_p": 1e-50}, {"temperature": 1e-6}]
)
def test_with_one_token_to_choose_from_the_search_is_greedy(options):
    table = random_table(vocab_size=11)
    ids = run(sample, prefix_model, table, START_IDS, max_length=7, **options)
    assert numbers(ids) == [padded(reference_greedy(table, s, 7), 7) for s in START_IDS]
    assert ids.dtype == "int32"


@pytest.mark.parametrize("temperature", [1.2e-38, 3.4e38])
def test_no_temperature_is_too_extreme(temperature):
    table = random_table(vocab_size=11)
    table[:, 5] = -np.inf
    options = {"max_length": 12, "temperature": temperature}
    ids = run(sample, prefix_model, table, [START] * 100, **options)
    words = set(ids[:, 1].tolist())
    if temperature < 1:
        assert words == {reference_greedy(table, START, 12)[1]}
    else:
        assert words == set(range(11)) - {5}


def test_the_same_seed_gives_the_same_sentences_and_another_one_others():
    table = random_table(vocab_size=11)
    options = {"max_length": 7}
    first = run(sample, prefix_model, table, START_IDS, seed=1, **options)
    again = run(sample, prefix_model, table, START_IDS, seed=np.int64(1), **options)
    other = run(sample, prefix_model, table, START_IDS, seed=2**32 - 1, **options)
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_numbers_drawn_before_give_what_their_seed_gives():
    table = random_table(vocab_size=11)
    expected = run(sample, prefix_model, table, START_IDS, seed=1, max_length=7)
    uniforms = keras.random.uniform((len(START_IDS), 7), seed=1)

    def at_these(next_logits, start_ids, *, max_length, **options):
        assert max_length == 7
        return sample_at(uniforms, next_logits, start_ids, **options)

    found = run(at_these, prefix_model, table, START_IDS, max_length=7)
    assert found.tolist() == expected.tolist()


def test_the_same_sentence_is_drawn_differently_in_each_row_and_at_each_step():
    table = np.zeros((997, 11), "float32")
    table[:, END] = -np.inf
    ids = run(sample, prefix_model, table, [START] * 50, max_length=20)
    assert len(np.unique(ids[:, 1:-1], axis=0)) == 50
    assert len(np.unique(ids[:, 1:-1], axis=1).T) == 18


def test_a_sentence_ends_at_its_own_limit_with_the_end_token():
    table = random_table(vocab_size=11)
    table[:, END] = -np.inf
    limits = np.array([2, 7, 3, 9, 5], "int32")
    ids = run(sample, prefix_model, table, START_IDS, limits, max_length=7)
    for row, limit in zip(ids, np.minimum(limits, 7)):
        assert row[limit - 1] == END
        assert (row[: limit - 1] != END).all()
        assert (row[limit:] == PAD).all()


def test_nothing_but_padding_follows_the_end():
    table = random_table(vocab_size=11, sharpness=0.1)
    ids = run(sample, prefix_model, table, [START] * 200, max_length=20)
    lengths = [len(sentence_of(row)) for row in ids]
    assert min(lengths) == 2 and max(lengths) == 20
    for row, length in zip(ids, lengths):
        assert (row[length:] == PAD).all()


def test_constraints_hold_for_every_sentence():
    table = random_table(vocab_size=11, sharpness=0.1)
    constraints = (
        suppress_tokens([PAD, START, 5]),
        forbid_repeated_ngrams(2),
        forbid_end_before(5),
        force_prefix([[7, 8]] * 200),
    )
    ids = run(
        sample,
        prefix_model,
        table,
        [START] * 200,
        max_length=12,
        constraints=constraints,
    )
    lengths = set()
    for sentence in map(sentence_of, ids):
        assert sentence[:3] == (START, 7, 8)
        assert not {PAD, START, 5} & set(sentence[1:])
        pairs = list(itertools.pairwise(sentence[1:]))
        assert len(pairs) == len(set(pairs))
        lengths.add(len(sentence))
    assert min(lengths) == 5 and max(lengths) == 12


def test_each_sentence_has_its_own_constraints():
    table = random_table(vocab_size=11)
    constraints = (force_prefix([[4], [5], [6], [7], [PAD]]),)
    ids = run(
        sample, prefix_model, table, START_IDS, max_length=7, constraints=constraints
    )
    assert ids[:4, 1].tolist() == [4, 5, 6, 7]


def test_what_constraints_leave_is_drawn_from_in_its_proportions():
    table = random_table(vocab_size=11, sharpness=1.0)
    likely = np.argsort(-log_probs_after(table, (START,)))[:3].tolist()
    ids = run(
        sample,
        prefix_model,
        table,
        [START] * MANY,
        max_length=3,
        top_p=0.7,
        constraints=(suppress_tokens(likely),),
    )
    logits = log_probs_after(table, (START,))
    logits[likely] = -np.inf
    counts = np.bincount(ids[:, 1], minlength=11)
    assert_drawn_from(reference_distribution(logits, top_p=0.7), counts)


@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.9}])
@pytest.mark.parametrize("by", ["model", "constraint"])
def test_where_everything_is_forbidden_the_sentence_ends(by, options):
    table = random_table(vocab_size=11)
    constraints = (suppress_tokens(list(range(11))),)
    if by == "model":
        table[:], constraints = -np.inf, ()
    ids = run(
        sample,
        prefix_model,
        table,
        START_IDS,
        max_length=5,
        constraints=constraints,
        **options,
    )
    assert numbers(ids) == [[first, END, PAD, PAD, PAD] for first in START_IDS]


def test_the_cache_is_handed_on_from_step_to_step():
    table = random_table(vocab_size=11)
    expected = run(sample, prefix_model, table, START_IDS, max_length=7)
    cache = memory(len(START_IDS), 7)
    ids = run(sample, remembering_model, table, START_IDS, None, cache, max_length=7)
    assert ids.tolist() == expected.tolist()


def test_another_end_token_may_be_chosen():
    table = random_table(vocab_size=11)
    table[:, 5] = 90.0
    ids = run(sample, prefix_model, table, [START], max_length=5, end_id=5)
    assert ids.tolist() == [[START, 5, PAD, PAD, PAD]]


def test_no_sentences_give_no_sentences():
    table = random_table(vocab_size=11)
    assert run(sample, prefix_model, table, [], max_length=7).shape == (0, 7)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_are_drawn_from_in_float32(dtype):
    def half_model(table):
        return prefix_model(ops.cast(table, dtype))

    table = np.zeros((997, 2048), "float32")
    table[:, END] = -np.inf
    ids = run(sample, half_model, table, [START] * 4000, max_length=3)
    assert (np.bincount(ids[:, 1] // 128, minlength=16) > 0.8 * 4000 / 16).all()


def test_a_long_vocabulary_is_drawn_from_like_a_short_one():
    table = random_table(vocab_size=2048, sharpness=0.5)
    options = {"max_length": 3, "top_k": 20}
    ids = run(sample, prefix_model, table, [START] * MANY, **options)
    logits = log_probs_after(table, (START,))
    counts = np.bincount(ids[:, 1], minlength=2048)
    assert_drawn_from(reference_distribution(logits, top_k=20), counts)


def test_the_likeliest_token_weighs_one_and_a_forbidden_one_nothing():
    log_probs = np.array([[-1.0, -3.0, -np.inf], [-np.inf] * 3])
    found = np.asarray(relative_weights(tensor(log_probs), 2.0))
    np.testing.assert_allclose(found, [[1, np.exp(-1), 0], [0, 0, 0]], rtol=1e-6)


def test_among_equally_likely_tokens_no_more_are_kept_than_asked_for():
    weights = tensor(np.ones((2, 8)))
    for options in ((3, None), (None, 3 / 8), (3, 1.0), (6, 0.5)):
        kept, tokens = likeliest(weights, *options)
        kept = np.asarray(kept) > 0
        assert kept.sum(axis=1).tolist() == [3, 3]
        for row, row_kept in zip(np.asarray(tokens), kept):
            assert len(set(row[row_kept].tolist())) == 3


@pytest.mark.parametrize(
    "top_p, count", [(1e-50, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.8, 3), (1.0, 4)]
)
def test_the_nucleus_is_the_smallest_set_that_reaches_its_probability(top_p, count):
    weights = tensor([[4.0, 2.0, 1.0, 1.0, 0.0]])
    found = np.asarray(in_nucleus(weights, top_p))
    assert found[0, :4].tolist() == [True] * count + [False] * (4 - count)


def test_the_cumulative_distribution_is_inverted():
    uniforms = tensor([0.0, 0.1, 0.3, 0.6, 0.9, 1.0])
    weights = tensor([[0.0, 1.0, 2.0, 0.0, 1.0, 0.0]] * 6)
    tokens = ops.broadcast_to(tensor([9, 8, 7, 6, 5, 4], "int32"), (6, 6))
    assert numbers(draw(weights, tokens, uniforms)) == [8, 8, 7, 7, 5, 5]


@pytest.mark.parametrize("width", [11, 2048])
def test_rounding_never_draws_a_forbidden_token(width):
    rng = np.random.default_rng(0)
    weights = rng.random((2000, width)) * (rng.random((2000, width)) < 0.1)
    weights[:, -1:] = 0
    weights[:, 3] = 1
    tokens = ops.broadcast_to(ops.arange(width, dtype="int32"), (2000, width))
    for uniform in (0.0, np.nextafter(np.float32(1), np.float32(0)), 1.0):
        uniforms = tensor(np.full(2000, uniform))
        drawn = np.asarray(draw(tensor(weights), tokens, uniforms))
        assert (np.take_along_axis(weights, drawn[:, None], axis=1) > 0).all()


@pytest.mark.parametrize("temperature", [0, 0.0, -1.0, np.inf, np.nan, 1e-50, 1e39])
def test_a_temperature_that_is_not_a_number_above_0_is_refused(temperature):
    message = f"sample: got temperature={temperature}, but".replace("+", r"\+")
    with pytest.raises(ValueError, match=message):
        sample(None, [START], max_length=7, temperature=temperature)


@pytest.mark.parametrize("top_p", [0, -0.1, 1.01, np.nan])
def test_a_probability_that_is_none_is_refused(top_p):
    with pytest.raises(ValueError, match=f"sample: got top_p={top_p}, but"):
        sample(None, [START], max_length=7, top_p=top_p)


def test_no_token_to_choose_from_is_refused():
    with pytest.raises(ValueError, match="sample: got top_k=0, but"):
        sample(None, [START], max_length=7, top_k=0)
    with pytest.raises(TypeError, match=r"sample: got top_k=2.0 \(float\)"):
        sample(None, [START], max_length=7, top_k=2.0)


def test_more_tokens_than_there_are_are_refused():
    table = random_table(vocab_size=11)
    with pytest.raises(ValueError, match="sample: got top_k=12, but.*only 11 tokens"):
        run(sample, prefix_model, table, START_IDS, max_length=7, top_k=12)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_of_more_than_32_bits_is_refused(seed):
    with pytest.raises(ValueError, match=f"sample: got seed={seed}, but"):
        sample(None, [START], max_length=7, seed=seed)


@pytest.mark.parametrize("seed, shown", [(None, "None"), (0.5, "0.5"), (True, "True")])
def test_a_seed_that_is_no_integer_is_refused(seed, shown):
    with pytest.raises(TypeError, match=rf"sample: got seed={shown} \(\w+\), but"):
        sample(None, [START], max_length=7, seed=seed)


def test_a_length_without_room_for_an_end_is_refused():
    with pytest.raises(ValueError, match="sample: got max_length=1"):
        sample(None, [START], max_length=1)


def test_start_ids_with_a_second_axis_are_refused():
    with pytest.raises(ValueError, match=r"sample: got start_ids of.*\(1, 1\)"):
        sample(None, [[START]], max_length=7)


def test_limits_with_a_second_axis_are_refused():
    limits = np.array([[7]], "int32")
    with pytest.raises(ValueError, match=r"got length_limits of shape \(1, 1\)"):
        sample(None, [START], max_length=7, length_limits=limits)


OPTIONS = {
    "all": {},
    "some": {"top_k": 6, "top_p": 0.9, "temperature": 1.5, "seed": 3},
}
each_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


@pytest.mark.tensorflow
@each_option
def test_one_graph_serves_every_batch_and_length(options):
    import tensorflow as tf

    table = random_table(vocab_size=11)
    constraints = (forbid_repeated_ngrams(2), forbid_end_before(4))
    traces = []

    def search(start_ids, max_length):
        traces.append(start_ids)
        return sample(
            prefix_model(tf.constant(table)),
            start_ids,
            max_length=max_length,
            constraints=constraints,
            **options,
        )

    graph = tf.function(search, input_signature=any_size())
    for start_ids, max_length in (START_IDS, 7), (START_IDS[:3], 5):
        ids = graph(tf.constant(start_ids), tf.constant(max_length))
        assert ids.numpy().tolist() == search(start_ids, max_length).numpy().tolist()
    assert len(traces) == 3  # the graph once, and each without it


@pytest.mark.tensorflow
def test_the_graph_holds_no_random_state_and_only_what_every_server_has():
    import tensorflow as tf

    table = random_table(vocab_size=11)

    @tf.function(input_signature=any_size())
    def search(start_ids, max_length):
        next_logits = prefix_model(tf.constant(table))
        return sample(next_logits, start_ids, max_length=max_length, top_p=0.9)

    graph = search.get_concrete_function().graph.as_graph_def()
    in_loops = {node.op for f in graph.library.function for node in f.node_def}
    operations = {node.op for node in graph.node}
    assert "StatelessRandomUniformV2" in operations and "TopKV2" in in_loops
    assert not [name for name in in_loops if "Random" in name]
    foreign = ("Xla", "PyFunc", "EagerPyFunc", "VarHandle")
    assert not [name for name in operations | in_loops if name.startswith(foreign)]


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="about jax.jit")
@each_option
def test_one_compilation_serves_all_numbers(options):
    import jax

    traces = []

    @jax.jit
    def search(table, start_ids):
        traces.append(start_ids)
        return sample(prefix_model(table), start_ids, max_length=7, **options)

    start_ids = np.array(START_IDS, "int32")
    for seed in range(2):
        table = random_table(vocab_size=11, seed=seed)
        found = np.asarray(search(table, start_ids))
        model = prefix_model(ops.convert_to_tensor(table))
        eager = sample(model, start_ids, max_length=7, **options)
        assert found.tolist() == np.asarray(eager).tolist()
    assert len(traces) == 1
