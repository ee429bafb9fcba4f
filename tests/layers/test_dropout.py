import keras
import numpy as np
import pytest
from references import numpy

from keras_attention.layers.dropout import Dropout, random_bytes

ONES = np.ones((64, 50, 33), "float32")


@pytest.mark.parametrize(
    "rate, dropped", [(0.1, 26), (0.3, 77), (0.5, 128), (0.0001, 1), (0.9999, 255)]
)
def test_it_drops_the_nearest_256th_and_makes_up_for_exactly_that(rate, dropped):
    y = numpy(Dropout(rate)(ONES, training=True))
    share, error = dropped / 256, 4 * (0.25 / y.size) ** 0.5
    assert (y == 0).mean() == pytest.approx(share, abs=error)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - share), rtol=1e-6)


def test_neighbours_are_dropped_independently():
    """Also those that one random word decides about, or the same byte of two words."""
    dropped = numpy(Dropout(0.5)(ONES, training=True)) == 0
    for distance in (1, 2, 3, 4, 8):
        alike = dropped[..., distance:] == dropped[..., :-distance]
        assert alike.mean() == pytest.approx(0.5, abs=0.01), distance
    for axis in (0, 1):
        alike = np.take(dropped, range(1, 50), axis) == np.take(
            dropped, range(49), axis
        )
        assert alike.mean() == pytest.approx(0.5, abs=0.01), axis


@pytest.mark.parametrize("width", [1, 3, 4, 7])
def test_any_width_and_number_of_axes_will_do(width):
    for shape in [(width,), (2, width), (2, 5, 3, width)]:
        assert Dropout(0.5)(np.ones(shape, "float32"), training=True).shape == shape


def test_every_byte_is_as_likely_as_any_other():
    seed = keras.random.SeedGenerator(1)
    found = np.bincount(numpy(random_bytes((256, 400), seed)).astype(int).ravel())
    assert len(found) == 256
    expected = 400
    chi_squared = ((found - expected) ** 2 / expected).sum()
    assert 170 < chi_squared < 350  # 255 degrees of freedom; 5 deviations are 113


def test_its_config_has_what_its_constructor_takes_and_no_more():
    config = Dropout(0.3, seed=4).get_config()
    assert (config["rate"], config["seed"]) == (0.3, 4)
    assert "noise_shape" not in config
    copy = Dropout.from_config(config)
    x = np.ones((2, 5, 12), "float32")
    again = numpy(copy(x, training=True))
    np.testing.assert_array_equal(numpy(Dropout(0.3, seed=4)(x, training=True)), again)


@pytest.mark.parametrize("wrong", [-0.1, 1, 1.5])
def test_a_rate_outside_of_its_range_is_refused(wrong):
    with pytest.raises(ValueError, match=rf"Dropout: got rate={wrong}, .*\[0, 1\)"):
        Dropout(wrong)
