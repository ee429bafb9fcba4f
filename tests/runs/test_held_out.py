"""What is held out is not learned from."""

import pytest

from keras_attention.runs.held_out import hold_out


def test_no_sentence_is_on_both_sides_and_none_is_lost():
    sources = [f"sentence {n % 50}" for n in range(120)]
    targets = [f"translation {n}" for n in range(120)]
    train, valid = hold_out((sources, targets), seed=0)
    assert not set(train[0]) & set(valid[0])
    assert sorted([*zip(*train), *zip(*valid)]) == sorted(zip(sources, targets))
    assert len(set(valid[0])) == 2


def test_the_seed_decides_and_nothing_else():
    pairs = [f"sentence {n}" for n in range(100)], ["translation"] * 100
    assert hold_out(pairs, seed=0) == hold_out(pairs, seed=0)
    assert hold_out(pairs, seed=0) != hold_out(pairs, seed=1)


def test_at_most_a_thousand_are_held_out():
    pairs = [str(n) for n in range(30_000)], ["x"] * 30_000
    assert len(hold_out(pairs, seed=0)[1][0]) == 1000


def test_one_sentence_cannot_be_split():
    with pytest.raises(ValueError, match="got 1 different sentences"):
        hold_out((["a", "a"], ["b", "c"]), seed=0)
