"""The formula counts what a model that is built counts."""

import itertools

import pytest

import keras_attention as ka
from keras_attention.tuning.parameter_count import count_parameters

SIZES = {
    "source_vocab_size": [7],
    "target_vocab_size": [7, 11],
    "num_layers": [1, 2],
    "num_decoder_layers": [1, 3],
    "d_model": [6, 8],
    "d_ff": [5],
    "norm_first": [False, True],
    "share_embeddings": [False, True],
}
EVERY = [
    dict(zip(SIZES, values))
    for values in itertools.product(*SIZES.values())
    if values[0] == values[1] or not values[-1]  # One matrix, one vocabulary.
]


@pytest.mark.parametrize("sizes", EVERY[::2], ids=str)
def test_the_formula_counts_what_is_built(sizes):
    model = ka.Transformer(**sizes, num_heads=2)
    assert count_parameters(**sizes) == model.count_params()


def test_heads_and_dropout_do_not_count():
    sizes = EVERY[0]
    model = ka.Transformer(**sizes, num_heads=3, dropout_rate=0.3)
    assert count_parameters(**sizes) == model.count_params()


def test_the_example_is_that_of_the_preset():
    sizes = {"num_layers": 4, "num_decoder_layers": 4, "d_model": 128, "d_ff": 256}
    vocabulary = {"source_vocab_size": 1000, "target_vocab_size": 1000}
    assert count_parameters(**sizes, **vocabulary, share_embeddings=True) == 1446912
