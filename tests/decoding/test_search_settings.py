"""What makes no sense is refused when it is given, and the rest means what it says."""

import json
import math

import numpy as np
import pytest
from keras import ops

from keras_attention.decoding.search_settings import SearchSettings

LENGTHS = np.array([1, 3, 10], "int32")


def numbers(x):
    return ops.convert_to_numpy(x).tolist()


@pytest.mark.parametrize(
    "max_length, expected",
    [
        (7, [8, 8, 8]),
        ((1.0, 50), [52, 54, 61]),
        ((1.5, 2), [4, 7, 18]),
        ((2.5, -1), [2, 7, 25]),
    ],
)
def test_a_maximum_counts_end_and_start_comes_on_top(max_length, expected):
    settings = SearchSettings(max_length=max_length)
    assert numbers(settings.max_lengths(ops.convert_to_tensor(LENGTHS))) == expected


@pytest.mark.parametrize(
    "min_length, expected", [(0, [1, 1, 1]), (4, [5, 5, 5]), ((0.5, 1), [2, 3, 7])]
)
def test_a_minimum_counts_alike(min_length, expected):
    settings = SearchSettings(min_length=min_length)
    assert numbers(settings.min_lengths(ops.convert_to_tensor(LENGTHS))) == expected


def test_without_wishes_there_is_no_constraint():
    assert SearchSettings().constraints(ops.convert_to_tensor(LENGTHS)) == []


def test_each_wish_is_one_constraint():
    settings = SearchSettings(
        min_length=2,
        no_repeat_ngram_size=3,
        repetition_penalty=1.2,
        suppressed_tokens=[1],
    )
    prefix_ids = ops.convert_to_tensor([[5], [0], [7]])
    lengths = ops.convert_to_tensor(LENGTHS)
    assert len(settings.constraints(lengths)) == 4
    assert len(settings.constraints(lengths, prefix_ids)) == 5


def test_settings_survive_a_file():
    settings = SearchSettings(max_length=(2.0, 3), suppressed_tokens=(4, 5))
    read = json.loads(json.dumps(vars(settings)))
    assert SearchSettings(**read) == settings


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"beam_size": 0}, "beam_size=0"),
        ({"length_penalty": -1.0}, "length_penalty=-1.0"),
        ({"length_offset": -0.5}, "length_offset=-0.5"),
        ({"coverage_penalty": -0.1}, "coverage_penalty=-0.1.*Use 0 or more"),
        ({"coverage_penalty": math.inf}, "coverage_penalty=inf"),
        ({"max_length": 0}, "max_length=0.*Use 1 or more"),
        ({"max_length": (-1.0, 50)}, r"max_length=\(-1.0, 50\)"),
        ({"max_length": (0.5, 0)}, r"max_length=\(0.5, 0\)"),
        ({"max_length": 10.5}, "max_length=10.5.*Use an int"),
        ({"max_length": (1.0, 2.5)}, r"max_length=\(1.0, 2.5\).*Use an int"),
        ({"length_penalty": float("inf")}, "length_penalty=inf"),
        ({"max_length": "long"}, "max_length='long'.*Use an int"),
        ({"max_length": (1.0, 2, 3)}, r"max_length=\(1.0, 2, 3\).*such a pair"),
        ({"max_length": 4, "min_length": 5}, "min_length=5 and max_length=4"),
        ({"min_length": (1.5, 0)}, r"min_length=\(1.5, 0\) and max_length=\(1.0, 50"),
        ({"min_length": (-1.0, 9)}, r"min_length=\(-1.0, 9\)"),
        ({"no_repeat_ngram_size": -1}, "size=-1"),
        ({"repetition_penalty": 0.5}, "factor=0.5"),
        ({"suppressed_tokens": (-1,)}, r"token_ids=\(-1,\)"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_when_it_is_given(setting, message):
    with pytest.raises(ValueError, match=message):
        SearchSettings(**setting)
