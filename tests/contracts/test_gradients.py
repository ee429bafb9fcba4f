"""Every weight learns, and nothing becomes infinite."""

import pytest
from layer_cases import POLICIES, learns, parametrize, takes_vectors

from keras_attention.testing import promises


@parametrize(learns)
@pytest.mark.parametrize("policy", ["float32", POLICIES[0]])
def test_every_weight_learns(case, policy):
    assert case.model(dtype=policy).trainable_variables
    promises.every_weight_learns(case, dtype=policy)


@parametrize(lambda case: learns(case) and takes_vectors(case))
def test_a_sentence_of_nothing_but_padding_leaves_the_weights_finite(case):
    promises.padding_alone_stays_finite(case)
