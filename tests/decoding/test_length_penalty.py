import numpy as np
import pytest
from keras import ops

from keras_attention.decoding.length_penalty import penalize, require_growing_penalty


def test_the_penalty_is_the_one_of_the_paper():
    log_probs = ops.convert_to_tensor([-6.0, -6.0])
    scores = penalize(log_probs, ops.convert_to_tensor([1, 7]), 2.0)
    np.testing.assert_allclose(scores, [-6.0, -1.5])


def test_without_an_offset_it_is_a_power_of_the_length():
    log_probs = ops.convert_to_tensor([-6.0, -6.0, 0.0])
    scores = penalize(log_probs, ops.convert_to_tensor([1, 2, 0]), 2.0, length_offset=0)
    np.testing.assert_allclose(scores, [-6.0, -1.5, 0.0])


def test_a_hypothesis_without_any_token_has_a_score_with_an_offset_too():
    scores = penalize(ops.convert_to_tensor([-6.0]), ops.convert_to_tensor([0]), 1.0)
    np.testing.assert_allclose(scores, [-7.2], rtol=1e-6)


@pytest.mark.parametrize("length_offset", [-1, float("inf"), float("nan")])
def test_an_offset_that_makes_lengths_negative_is_refused(length_offset):
    message = f"length_offset={length_offset}.*Use 0 or more"
    with pytest.raises(ValueError, match=message):
        require_growing_penalty(0.6, length_offset)


@pytest.mark.parametrize("length_penalty", [0, 0.6, 2.0])
def test_penalties_that_grow_are_taken(length_penalty):
    require_growing_penalty(length_penalty)


def test_a_penalty_that_favours_short_sentences_is_refused():
    with pytest.raises(ValueError, match="length_penalty=-1.*Use 0 or more"):
        require_growing_penalty(-1)
