"""Sizes that cannot work are refused at once, by name and value."""

import numpy as np
import pytest
from layer_cases import CASES, B, D, M, S, T, every_layer

import keras_attention as ka

COUNTS = ["vocab_size", "d_model", "max_length", "num_heads", "d_ff"]


def refused(case, **wrong):
    return case.layer(**{**case.options, **wrong})


def arguments(case, names):
    return [name for name in names if name in case.make().get_config()]


@every_layer
@pytest.mark.parametrize("value", [0, -3])
def test_a_count_below_one_is_refused(case, value):
    for name in arguments(case, COUNTS):
        message = rf"\w+: got {name}={value}, but there must be .* of at least 1"
        with pytest.raises(ValueError, match=message):
            refused(case, **{name: value})


@every_layer
@pytest.mark.parametrize("value", [2.5, "3", True], ids=repr)
def test_a_count_that_is_no_integer_is_refused(case, value):
    for name in arguments(case, COUNTS):
        message = (
            rf"\w+: got {name}={value!r} \({type(value).__name__}\), but {name} counts "
            r"something. Give an integer of at least 1"
        )
        with pytest.raises(TypeError, match=message):
            refused(case, **{name: value})


@every_layer
@pytest.mark.parametrize("value", [-0.1, 1.0, 5, float("nan")])
def test_a_rate_outside_of_its_range_is_refused(case, value):
    for name in arguments(case, ["dropout_rate"]):
        message = rf"{case.layer.__name__}: got {name}={value}, .* in \[0, 1\)"
        with pytest.raises(ValueError, match=message):
            refused(case, **{name: value})


@pytest.mark.parametrize(
    "layer", [ka.PositionalEncoding(17), ka.LearnedPositionalEncoding(17)]
)
def test_more_positions_than_the_table_holds_are_refused(layer):
    message = r"got 18 positions, but .* max_length=17.*max_length=18 or more"
    with pytest.raises(ValueError, match=f"{layer.name}: {message}"):
        layer(np.zeros((B, 18, D)))
    assert layer(np.zeros((B, 17, D))).shape == (B, 17, D)


@pytest.mark.parametrize(
    "name",
    [
        "MultiHeadSelfAttention",
        "MultiHeadCrossAttention",
        "EncoderLayer",
        "DecoderLayer",
    ],
)
def test_heads_that_do_not_divide_the_width_are_refused(name):
    case = CASES[name]
    layer = refused(case, num_heads=5)
    message = (
        r"\w+: got d_model=12 and num_heads=5, but each head needs an equal whole "
        r"share of d_model \(12 / 5 = 2.4\). Use a num_heads that divides 12"
    )
    with pytest.raises(ValueError, match=message):
        layer(*case.inputs())


@pytest.mark.parametrize(
    "name",
    [
        "PositionalEncoding",
        "LearnedPositionalEncoding",
        "MultiHeadSelfAttention",
        "MultiHeadCrossAttention",
        "EncoderLayer",
        "DecoderLayer",
    ],
)
@pytest.mark.parametrize("shape", [(B, D), (B, 1, T, D)], ids=["two", "four"])
def test_vectors_with_another_number_of_axes_are_refused(name, shape):
    case = CASES[name]
    message = rf"\w+: got x of shape \({', '.join(map(str, shape))}\), but 3 axes"
    with pytest.raises(ValueError, match=message):
        case.make()(np.zeros(shape), *case.inputs()[1:])


@pytest.mark.parametrize("name", ["MultiHeadCrossAttention", "DecoderLayer"])
def test_a_memory_with_another_number_of_axes_is_refused(name):
    layer, x = CASES[name].make(), np.zeros((B, T, D))
    message = rf"\w+: got memory of shape \({S}, {M}\), but 3 axes are needed"
    with pytest.raises(ValueError, match=message):
        layer(x, np.zeros((S, M)))
