import warnings

import numpy as np
import pytest

from keras_attention.special_tokens import END, PAD, START, UNKNOWN
from keras_attention.text.buckets import BatchOptions
from keras_attention.text.ragged_ids import RaggedIds
from keras_attention.text.token_pairs import prepare_pairs, require_parallel


def prepare(sources, targets, max_length=9, too_long="drop"):
    options = BatchOptions("Someone", 99, max_length, 3, too_long, False, 0)
    return prepare_pairs(RaggedIds.of(sources), RaggedIds.of(targets), options)


def lists_of(ids):
    return [row.tolist() for row in ids]


def kept_by(pairs):
    return sorted(pairs.plan.epoch(0).pairs.tolist())


def test_sentences_are_framed():
    pairs = prepare([[5, 6], [], [UNKNOWN]], [[7], [8, 9], []])
    assert lists_of(pairs.sources) == [[5, 6, END], [END], [UNKNOWN, END]]
    assert lists_of(pairs.targets) == [
        [START, 7, END],
        [START, 8, 9, END],
        [START, END],
    ]
    assert kept_by(pairs) == [0, 1, 2]


@pytest.mark.parametrize("too_long", ["drop", "truncate"])
def test_nothing_is_said_when_every_pair_fits(too_long):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare([[5, 6]], [[7]], max_length=3, too_long=too_long)


def test_long_pairs_are_left_out_with_a_count():
    message = r"Someone: dropped 2 of 3 pairs \(66\.7 %\).*max_length=3 tokens"
    with pytest.warns(UserWarning, match=message):
        pairs = prepare([[5, 6, 7], [5, 6], [5]], [[8], [9], [8, 9, 10]], max_length=3)
    assert kept_by(pairs) == [1]


def test_long_sentences_are_cut_with_a_count():
    message = r"Someone: truncated 1 of 2 pairs \(50\.0 %\).*max_length=3 tokens"
    with pytest.warns(UserWarning, match=message):
        pairs = prepare([[5, 6, 7], [5]], [[8], [9]], 3, too_long="truncate")
    assert lists_of(pairs.sources) == [[5, 6, END], [5, END]]
    assert kept_by(pairs) == [0, 1]


@pytest.mark.filterwarnings("ignore:Someone")
def test_pairs_of_which_none_is_left_are_refused():
    message = "Someone: got 2 pairs of 4 to 5 tokens, but max_length=3 keeps none"
    with pytest.raises(ValueError, match=message):
        prepare([[5, 6, 7], [5]], [[8], [9] * 4], max_length=3)


@pytest.mark.parametrize("id", [PAD, START, END, -1])
def test_special_tokens_in_a_sentence_are_refused(id):
    message = rf"Someone: got id {id} in target 1, but .*above {END}"
    with pytest.raises(ValueError, match=message):
        prepare([[5], [6], [7]], [[8, 9], [10, id], [id]])
    with pytest.raises(ValueError, match=f"Someone: got id {id} in source 0"):
        prepare([[id]], [[8]])


def test_unequal_numbers_are_both_named():
    names = ("lines", "translations")
    message = "Someone: got 3 lines and 2 translations, but number n"
    with pytest.raises(ValueError, match=message):
        require_parallel(np.zeros(3), np.zeros(2), names, "Someone")


def test_no_pair_is_refused():
    message = "Someone: got 0 lines and 0 translations, but needs at least one"
    with pytest.raises(ValueError, match=message):
        require_parallel([], [], ("lines", "translations"), "Someone")
