"""How often what is hidden, and that nothing special ever is."""

import doctest

import numpy as np
import pytest

from keras_attention.text import token_masking
from keras_attention.text.token_masking import TokenMasking

V, MASK = 1000, 4
SPECIAL = (0, 1, 2, 3, 4, 9)
MASKING = TokenMasking(V, MASK, SPECIAL)


def make_ids(rows=2000, length=40, seed=0):
    """[CLS], ordinary tokens with some [UNK] and a 9 among them, [SEP], padding."""
    draw = np.random.default_rng(seed)
    ids = draw.integers(10, V, (rows, length))
    ids[draw.random(ids.shape) < 0.1] = 1
    ids[draw.random(ids.shape) < 0.05] = 9
    ends = draw.integers(10, length, rows)
    places = np.arange(length)
    ids = np.where(places < ends[:, None], ids, 0)
    ids[np.arange(rows), ends] = 3
    ids[:, 0] = 2
    return ids


@pytest.fixture(scope="module")
def masked():
    return MASKING(make_ids(), np.random.default_rng(1))


def test_a_seventh_of_each_row_is_chosen(masked):
    ids = make_ids()
    lengths = (ids != 0).sum(axis=1)
    chosen = (masked.positions > 0).sum(axis=1)
    np.testing.assert_array_equal(chosen, np.maximum(1, np.round(0.15 * lengths)))
    assert masked.positions.shape == (2000, 6)  # round(0.15 * 40)


def test_of_the_chosen_eight_are_hidden_one_drawn_and_one_left(masked):
    ids, rows = make_ids(), np.arange(2000)[:, None]
    asked = masked.positions > 0
    before = ids[rows, masked.positions][asked]
    after = masked.token_ids[rows, masked.positions][asked]
    number = len(before)
    assert number > 6000
    deviations = 4 * np.sqrt(0.8 * 0.2 / number)
    assert np.mean(after == MASK) == pytest.approx(0.8, abs=deviations)
    assert np.mean(after == before) == pytest.approx(0.1, abs=deviations)
    drawn = after[(after != MASK) & (after != before)]
    assert len(drawn) / number == pytest.approx(0.1, abs=deviations)
    assert not np.isin(drawn, SPECIAL).any()
    assert len(np.unique(drawn)) > 400  # evenly over the vocabulary


def test_special_tokens_and_padding_are_never_chosen(masked):
    ids = make_ids()
    before = np.take_along_axis(ids, masked.positions, axis=1)
    assert not np.isin(before[masked.positions > 0], SPECIAL).any()
    special = np.isin(ids, SPECIAL)
    np.testing.assert_array_equal(masked.token_ids[special], ids[special])


def test_every_place_is_chosen_alike():
    ids = np.tile([2, *range(10, 30), 3], (4000, 1))
    positions = MASKING(ids, np.random.default_rng(0)).positions
    counts = np.bincount(positions.ravel(), minlength=22)[1:21]
    assert counts.sum() == 4000 * 3
    expected = counts.sum() / 20
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_labels_are_what_stood_there_and_the_rest_is_as_it_was(masked):
    ids = make_ids()
    asked = masked.positions > 0
    before = np.take_along_axis(ids, masked.positions, axis=1)
    np.testing.assert_array_equal(masked.labels, np.where(asked, before, 0))
    restored = masked.token_ids.copy()
    np.put_along_axis(restored, masked.positions, before, axis=1)
    np.testing.assert_array_equal(restored, ids)
    rising = np.diff(np.where(asked, masked.positions, 99), axis=1)
    assert (rising[asked[:, 1:]] > 0).all()


def test_the_same_seed_hides_the_same():
    ids = make_ids(rows=50)
    one, same, other = (MASKING(ids, np.random.default_rng(s)) for s in (5, 5, 6))
    np.testing.assert_array_equal(one.token_ids, same.token_ids)
    assert not np.array_equal(one.positions, other.positions)


def test_a_row_of_nothing_but_special_tokens_is_asked_nothing():
    masked = MASKING(np.array([[2, 1, 3, 0], [2, 10, 3, 0]]), np.random.default_rng(0))
    assert masked.positions.tolist() == [[0], [1]]
    assert masked.labels.tolist() == [[0], [10]]
    assert masked.token_ids[0].tolist() == [2, 1, 3, 0]


def test_the_example_runs():
    assert doctest.testmod(token_masking).attempted > 2
    assert not doctest.testmod(token_masking).failed
