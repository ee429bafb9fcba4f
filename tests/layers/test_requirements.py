import numpy as np
import pytest

from keras_attention.layers.requirements import (
    require_divisible,
    require_positive,
    require_rank,
    require_rate,
    require_stack,
    require_within_table,
)


def test_counts_from_one_are_accepted():
    require_positive("Owner", one=1, many=10**9, numpy_integer=np.int64(3))


@pytest.mark.parametrize("value", [0, -7])
def test_a_count_below_one_is_refused(value):
    message = f"^Owner: got size={value}, but there must be at least one. Give"
    with pytest.raises(ValueError, match=message):
        require_positive("Owner", fine=3, size=value)


@pytest.mark.parametrize(
    "value, kind", [(2.0, "float"), ("3", "str"), (None, "NoneType"), (True, "bool")]
)
def test_a_count_that_is_no_integer_is_refused(value, kind):
    message = rf"^Owner: got size={value!r} \({kind}\), but size counts something"
    with pytest.raises(TypeError, match=message):
        require_positive("Owner", size=value)


def test_rates_from_zero_to_below_one_are_accepted():
    require_rate("Owner", nothing=0, half=0.5, nearly_all=0.999)


@pytest.mark.parametrize("value", [-0.01, 1, 1.5, float("nan")])
def test_a_rate_outside_of_its_range_is_refused(value):
    message = rf"^Owner: got rate={value}, but .* Give a number in \[0, 1\)"
    with pytest.raises(ValueError, match=message):
        require_rate("Owner", rate=value)


def test_heads_that_divide_the_width_are_accepted():
    require_divisible("Owner", 12, 3)


def test_heads_that_do_not_divide_the_width_are_refused():
    message = (
        r"^Owner: got d_model=8 and num_heads=3, but .*\(8 / 3 = 2.66667\). Use a "
        r"num_heads that divides 8"
    )
    with pytest.raises(ValueError, match=message):
        require_divisible("Owner", 8, 3)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"num_layers": 0}, "num_layers=0"),
        ({"dropout_rate": 1}, "dropout_rate=1"),
        ({"num_heads": 5}, "d_model=12 and num_heads=5"),
    ],
)
def test_layers_of_attention_that_can_not_be_built_are_refused(wrong, message):
    settings = {"num_layers": 2, "d_model": 12, "num_heads": 3, "dropout_rate": 0.1}
    require_stack("Owner", **settings)
    with pytest.raises(ValueError, match=f"^Owner: got {message}, but"):
        require_stack("Owner", **{**settings, **wrong})


def test_shapes_of_the_right_rank_are_accepted():
    require_rank("Owner", 3, x=(None, None, 12), memory=(2, 7, 8))


@pytest.mark.parametrize("shape", [(7, 8), (2, 1, 7, 8)])
def test_a_shape_of_another_rank_is_refused(shape):
    sizes = ", ".join(map(str, shape))
    message = rf"^Owner: got memory of shape \({sizes}\), but 3 axes.*memory to 3 axes"
    with pytest.raises(ValueError, match=message):
        require_rank("Owner", 3, x=(2, 5, 12), memory=shape)


@pytest.mark.parametrize("length", [None, 1, 64])
def test_lengths_up_to_the_table_and_unknown_ones_are_accepted(length):
    require_within_table("Owner", length, 64)


def test_a_length_beyond_the_table_is_refused():
    message = "^Owner: got 65 positions, but .* max_length=64.*max_length=65 or more"
    with pytest.raises(ValueError, match=message):
        require_within_table("Owner", 65, 64)
