"""Lines as a language model learns them: START and a line; the line and END."""

import warnings

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.special_tokens import END, PAD, START
from keras_attention.text.line_batches import LineBatches
from keras_attention.text.token_batches import TokenBatches


def random_lines(count=53, longest=12):
    draw = np.random.default_rng(0)
    return [
        draw.integers(4, 30, length).tolist()
        for length in draw.integers(1, longest + 1, count)
    ]


def build(lines=None, **options):
    lines = random_lines() if lines is None else lines
    return LineBatches(lines, **{"batch_tokens": 80, "num_widths": 3, **options})


def test_a_line_becomes_what_is_given_and_what_is_to_be_said():
    [(token_ids, labels)] = build([[5, 6, 7], [8]], num_widths=1)
    rows = sorted(zip(token_ids.tolist(), labels.tolist()))
    assert rows == [
        ([START, 5, 6, 7], [5, 6, 7, END]),
        ([START, 8, PAD, PAD], [8, END, PAD, PAD]),
    ]
    assert {token_ids.dtype, labels.dtype} == {np.dtype("int32")}


def test_every_line_comes_exactly_once_an_epoch():
    batches = build(seed=7)
    for _ in range(2):
        lines = [
            row[row > END].tolist()
            for _, labels in batches
            for row in labels
            if row[0] != PAD
        ]
        assert sorted(lines) == sorted(random_lines())


def test_batches_and_their_order_are_those_of_pairs():
    lines = random_lines()
    options = {"batch_tokens": 80, "num_widths": 3, "seed": 3}
    pairs = TokenBatches(lines, lines, **options)
    for (ids, labels), (inputs, others) in zip(
        build(seed=3).starting_at(1, 2), pairs.starting_at(1, 2), strict=True
    ):
        np.testing.assert_array_equal(ids, inputs["target_ids"])
        np.testing.assert_array_equal(labels, others)


@pytest.mark.tensorflow  # JAX compiles for ten seconds
def test_a_model_learns_from_it():
    gpt = ka.LanguageModel(30, num_layers=1, d_model=12, num_heads=3, d_ff=20)
    loss, perplexity = ka.MaskedCrossentropy(), ka.Perplexity()
    adam = keras.optimizers.Adam(0.02)
    gpt.compile(adam, loss, metrics=[perplexity], jit_compile=False)
    batches = build(8 * [[5, 6, 7], [8, 9]], num_widths=1)
    history = gpt.fit(batches, epochs=8, verbose=0).history["perplexity"]
    assert history[-1] < 0.7 * history[0]


def test_what_is_too_long_is_dropped_or_cut_with_a_warning():
    lines = [[5, 6, 7, 8], [9]]
    message = r"LineBatches: dropped 1 of 2 .* max_length=3"
    with pytest.warns(UserWarning, match=message):
        [(_, labels)] = build(lines, max_length=3)
    assert labels.tolist() == [[9, END]]
    options = {"too_long": "truncate", "shuffle": False, "num_widths": 1}
    with pytest.warns(UserWarning, match=r"LineBatches: truncated 1 of 2"):
        [(_, labels)] = build(lines, max_length=3, **options)
    assert labels.tolist() == [[5, 6, END], [9, END, PAD]]


def test_unknown_tokens_are_told_of_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build([[5, 1], [6]])
    [warning] = caught
    assert "LineBatches: 33.3 % of the tokens of lines are UNKNOWN" in str(
        warning.message
    )


@pytest.mark.parametrize(
    "lines, options, message",
    [
        ([], {}, "LineBatches: got 0 lines"),
        ([[5, START]], {}, "LineBatches: got id 2"),
        ([[5]], {"seed": -1}, "LineBatches: got seed=-1"),
        ([[5, 6]], {"batch_tokens": 2}, "LineBatches: got batch_tokens=2"),
    ],
)
def test_what_can_not_be_is_refused(lines, options, message):
    with pytest.raises(ValueError, match=message):
        build(lines, **options)
