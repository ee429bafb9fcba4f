import warnings

import numpy as np
import pytest

from keras_attention.special_tokens import UNKNOWN
from keras_attention.text.ragged_ids import RaggedIds
from keras_attention.text.unknown_tokens import most_unknown, warn_of_unknown


def check(rows):
    """As an owner does that its user has called."""
    ids = RaggedIds.of(rows)
    warn_of_unknown("Someone", "lines", ids, lambda numbers: f"see {numbers.tolist()}")


def test_more_than_a_hundredth_is_told_with_figures():
    rows = [[5] * 90, [UNKNOWN, 6, UNKNOWN], [], [7, UNKNOWN]]
    message = (
        r"Someone: 3\.2 % of the tokens of lines are UNKNOWN \(3 of 95, in 2 of 4 "
        r"sentences\).*: see \[1, 3\]\. Check"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        check(rows)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("rows", [[[5] * 99, [UNKNOWN]], [[5, 6]], [[]]])
def test_less_is_tolerated(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(rows)


def letters_up_to_c(lines):
    """A tokenizer that knows a, b, c and the space, and unites what it does not."""
    rows = []
    for line in lines:
        ids = np.array([4 + " abc".find(letter) for letter in line], int)
        ids = np.where(ids < 4, UNKNOWN, ids)
        repeated = (ids == UNKNOWN) & (np.roll(ids, 1) == UNKNOWN)
        repeated[:1] = False
        rows.append(ids[~repeated])
    return RaggedIds.of(rows)


def test_unknown_characters_come_by_how_often_they_occur():
    lines = ["abx cy xx", "zc aa bb x", "y"]
    assert most_unknown(lines, letters_up_to_c, number=9) == ["x", "y", "z"]
    assert most_unknown(lines, letters_up_to_c, number=2) == ["x", "y"]


def test_a_tokenizer_of_words_is_asked_for_words():
    def words(lines):
        known = {"yes": 5, "no": 6}
        return RaggedIds.of(
            [[known.get(word, UNKNOWN) for word in line.split()] for line in lines]
        )

    lines = ["yes perhaps", "never perhaps no"]
    assert most_unknown(lines, words, number=5) == ["perhaps", "never"]


def test_where_no_character_is_to_be_seen_none_is_named():
    def tokenize(lines):
        assert lines, "TensorFlow joins no empty list of results"
        return RaggedIds.of([[UNKNOWN] for _ in lines])

    assert most_unknown(["", "\t"], tokenize, 3) == []
