import keras
import numpy as np
import pytest
from keras import ops
from recurrent_references import (
    additive_score,
    memory_attention,
    multiplicative_score,
    recurrence,
)
from references import numpy, padding_masks, randomize, vectors

from keras_attention.layers.recurrent_decoder import RecurrentDecoder

B, T, S, D, M, U, K = 2, 5, 7, 12, 8, 6, 4
SCORES = {"additive": additive_score, "multiplicative": multiplicative_score}

every_attention = pytest.mark.parametrize("attention", [None, *SCORES])


def built(**options):
    layer = RecurrentDecoder(U, **options)
    layer.build((B, T, D), (B, S, M))
    randomize(layer)
    return layer


def first_states(layer, rows=B, seed=5):
    number = 2 if layer.cell == "lstm" else 1
    return [
        [
            ops.convert_to_tensor(vectors(rows, U, seed=seed + 10 * index + state))
            for state in range(number)
        ]
        for index in range(layer.num_layers)
    ]


@pytest.mark.parametrize(
    "cell, attention", [("gru", None), ("lstm", "additive"), ("gru", "multiplicative")]
)
def test_it_is_the_equations_of_the_papers(cell, attention):
    layer = built(cell=cell, attention=attention, num_layers=2)
    x, memory, mask = vectors(B, T, D), vectors(B, S, M), padding_masks(B, S)
    states = first_states(layer)
    outputs = numpy(layer(x, memory, initial_states=states, memory_mask=mask))
    for b in range(B):
        expected = x[b]
        for part, start in zip(layer.recurrences, states):
            start = [numpy(state)[b] for state in start]
            expected, _ = recurrence(cell, part.cell, expected, start, T * [True])
        if attention is not None:
            score = SCORES[attention](layer.memory_attention)
            visible = np.tile(mask[b], (T, 1))
            context, _ = memory_attention(score, expected, memory[b], visible)
            joined = np.concatenate([context, expected], axis=1)
            expected = np.tanh(joined @ numpy(layer.combination.kernel))
        np.testing.assert_allclose(outputs[b], expected, atol=1e-5)


@pytest.mark.parametrize(
    "cell, attention", [("lstm", None), ("gru", "additive"), ("lstm", "multiplicative")]
)
def test_step_by_step_is_the_same_as_all_at_once_for_several_hypotheses(
    cell, attention
):
    layer = built(cell=cell, attention=attention, num_layers=2)
    x, memory = vectors(B * K, T, D), vectors(B, S, M)
    mask, states = padding_masks(B, S), first_states(layer, B * K)
    repeated, repeated_mask = np.repeat(memory, K, 0), np.repeat(mask, K, 0)
    expected = numpy(layer(x, repeated, states, memory_mask=repeated_mask))
    cache = layer.memory_cache(ops.convert_to_tensor(memory), mask)
    for t in range(T):
        token = ops.convert_to_tensor(x[:, t])
        output, states, maps = layer.step(token, states, cache)
        np.testing.assert_allclose(numpy(output), expected[:, t], atol=1e-5)
        shapes = [tuple(weights.shape) for weights in maps]
        assert shapes == ([] if attention is None else [(B * K, 1, S)])


def test_without_first_states_it_begins_with_zeros():
    layer, x, memory = built(), vectors(B, T, D), vectors(B, S, M)
    zeros = keras.tree.map_structure(ops.zeros_like, first_states(layer))
    np.testing.assert_array_equal(
        numpy(layer(x, memory)), numpy(layer(x, memory, initial_states=zeros))
    )


def test_without_attention_the_memory_is_not_read():
    layer, x = built(), vectors(B, T, D)
    one, other = (layer(x, vectors(B, S, M, seed=seed)) for seed in (1, 2))
    np.testing.assert_array_equal(numpy(one), numpy(other))
    assert layer.memory_cache(ops.zeros((B, S, M))) == {}


@every_attention
def test_a_step_reads_all_weights_but_that_of_the_memory(attention):
    layer = built(attention=attention)
    left_out = {weight.path for weight in layer.weights}
    left_out -= {weight.path for weight in layer.step_weights}
    assert [path.split("/")[-2] for path in left_out] == ["key"] * len(left_out)
    assert len(left_out) == (attention is not None)


def test_an_unknown_attention_is_refused_and_the_known_ones_named():
    message = "got attention='dot', but there are only 'additive', 'multiplicative'"
    with pytest.raises(ValueError, match=f"RecurrentDecoder: {message}.*None"):
        RecurrentDecoder(U, attention="dot")
