import itertools
import random

import numpy as np
import pytest

from keras_attention.text.buckets import BatchOptions, choose_widths, plan_batches


def options(**given):
    defaults = {
        "owner": "Someone",
        "batch_tokens": 30,
        "max_length": 256,
        "num_widths": 3,
        "too_long": "drop",
        "shuffle": True,
        "seed": 5,
    }
    return BatchOptions(**{**defaults, **given})


# The numbers of pairs are not those of their places, as if some had been dropped.
LENGTHS = np.array([2 + place % 7 for place in range(41)])
PAIRS = 3 * np.arange(41)


def plan_of(**given):
    return plan_batches(PAIRS, LENGTHS, options(**given))


def members_of(epoch):
    return [epoch.batch(index) for index in range(len(epoch.batches))]


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_pair_is_in_one_batch_of_an_epoch_and_fits(shuffle):
    plan = plan_of(shuffle=shuffle)
    for number in range(3):
        batches = members_of(plan.epoch(number))
        assert len(batches) == len(plan)
        assert sorted(np.concatenate([pairs for pairs, _ in batches])) == list(PAIRS)
        for pairs, (rows, width) in batches:
            assert 0 < len(pairs) <= rows
            assert rows * width <= 30
            assert LENGTHS[pairs // 3].max() <= width


def test_a_width_has_one_number_of_rows_and_its_narrowest_pairs():
    shapes = {shape for _, shape in members_of(plan_of().epoch(0))}
    assert len(shapes) == len({width for _, width in shapes}) == 3
    bounds = itertools.pairwise([0, *sorted(width for _, width in shapes)])
    lowest = {high: low for low, high in bounds}
    for pairs, (_, width) in members_of(plan_of().epoch(0)):
        assert LENGTHS[pairs // 3].min() > lowest[width]


def test_rows_even_out_over_the_fewest_batches():
    # 7 pairs of 2 tokens, at most 5 a batch: two batches of 4 and not 5 + 2.
    plan = plan_batches(np.arange(7), np.full(7, 2), options(batch_tokens=10))
    assert plan.batches.tolist() == [[0, 4, 4, 2], [4, 7, 4, 2]]


def test_without_shuffling_pairs_keep_their_order_from_narrow_to_wide():
    plan = plan_of(shuffle=False)
    batches = members_of(plan.epoch(4))
    widths = [width for _, (_, width) in batches]
    assert widths == sorted(widths)
    for _, of_width in itertools.groupby(batches, key=lambda batch: batch[1][1]):
        pairs = np.concatenate([pairs for pairs, _ in of_width])
        assert (np.diff(pairs) > 0).all()


def test_an_epoch_depends_on_the_seed_and_its_number_alone():
    plan, other = plan_of(), plan_of()
    other.epoch(0)
    for number in (3, 0, 3):
        one, same = plan.epoch(number), other.epoch(number)
        assert one.number == same.number == number
        assert np.array_equal(one.pairs, same.pairs)
        assert np.array_equal(one.batches, same.batches)


def test_epochs_and_seeds_mix_pairs_and_batches_anew():
    epochs = [plan_of(seed=seed).epoch(number) for seed in (5, 6) for number in (0, 1)]
    for one, other in itertools.combinations(epochs, 2):
        assert not np.array_equal(one.pairs, other.pairs)
        assert not np.array_equal(one.batches, other.batches)


def test_an_order_stays_the_same_from_release_to_release():
    """Otherwise a training resumed after an upgrade would go on with other batches."""
    plan = plan_batches(np.arange(8), np.array([2, 5] * 4), options(batch_tokens=10))
    epoch = plan.epoch(1)
    assert epoch.pairs.tolist() == [4, 0, 6, 2, 3, 7, 5, 1]
    assert epoch.batches[:, 0].tolist() == [0, 4, 6]


# Options.


@pytest.mark.parametrize(
    "given, message",
    [
        ({"max_length": 1}, "Someone: got max_length=1, .*at least 2"),
        ({"num_widths": 0}, "Someone: got num_widths=0, .*at least 1"),
        ({"too_long": "keep"}, "Someone: got too_long='keep', .*'drop' or 'truncate'"),
        ({"seed": -1}, "Someone: got seed=-1, .*not negative"),
    ],
)
def test_an_option_out_of_its_range_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        options(**given)


def test_a_batch_too_small_for_the_longest_pair_is_refused():
    message = "Someone: got batch_tokens=7, .*longest pair takes 8 tokens"
    with pytest.raises(ValueError, match=message):
        plan_of(batch_tokens=7)


# Widths.


def padded_tokens(widths, lengths):
    return sum(min(width for width in widths if width >= length) for length in lengths)


def least_padding(lengths, num_widths):
    """The least over all choices of widths, tried one by one."""
    distinct = sorted(set(lengths))
    choices = itertools.chain.from_iterable(
        itertools.combinations(distinct[:-1], size) for size in range(num_widths)
    )
    return min(padded_tokens([*choice, distinct[-1]], lengths) for choice in choices)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("num_widths", [1, 2, 3, 5])
def test_widths_pad_as_little_as_any_choice(seed, num_widths):
    draw = random.Random(seed)
    lengths = [1 + int(draw.expovariate(0.2)) for _ in range(draw.randint(1, 40))]
    widths = choose_widths(np.array(lengths), num_widths)
    assert len(widths) <= num_widths
    assert widths == sorted(set(widths))
    assert widths[-1] == max(lengths)
    assert padded_tokens(widths, lengths) == least_padding(lengths, num_widths)


def test_enough_widths_pad_nothing():
    assert choose_widths(np.array([9, 2, 5, 2]), num_widths=6) == [2, 5, 9]
