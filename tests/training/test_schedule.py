import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.training.schedule import WarmupSchedule


def equation_3(step, d_model, warmup_steps):
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)


def test_it_is_equation_3_with_the_first_step_as_number_1():
    schedule = WarmupSchedule(d_model=512, warmup_steps=4000)
    for step in (1, 2, 3999, 4000, 4001, 100_000):
        expected = equation_3(step, 512, 4000)
        assert float(schedule(step - 1)) == pytest.approx(expected, rel=1e-5)


def test_the_peak_is_at_the_end_of_the_warm_up():
    rates = np.array([float(WarmupSchedule(128, 20)(step)) for step in range(60)])
    assert rates.argmax() == 19
    assert rates.max() == pytest.approx((128 * 20) ** -0.5, rel=1e-5)
    assert (np.diff(rates[:20]) > 0).all() and (np.diff(rates[19:]) < 0).all()
    np.testing.assert_allclose(np.diff(rates[:20]), rates[0], rtol=1e-4)


def test_from_a_peak_it_is_the_schedule_of_any_width_that_reaches_it():
    schedule = WarmupSchedule.from_peak(0.005, warmup_steps=20)
    wide = WarmupSchedule(128, 20, scale=0.005 * (128 * 20) ** 0.5)
    for step in (0, 10, 19, 20, 99):
        assert float(schedule(step)) == pytest.approx(float(wide(step)), rel=1e-5)
    assert float(schedule(19)) == pytest.approx(0.005, rel=1e-5)


def test_the_scale_multiplies_every_rate():
    for step in (0, 10, 99):
        plain, scaled = WarmupSchedule(12, 20), WarmupSchedule(12, 20, scale=2.5)
        assert float(scaled(step)) == pytest.approx(2.5 * float(plain(step)), rel=1e-6)


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_a_step_may_be_a_tensor_of_any_dtype(dtype):
    schedule = WarmupSchedule(12, 20)
    rate = schedule(ops.convert_to_tensor(7, dtype))
    assert ops.dtype(rate) == "float32"
    assert float(rate) == pytest.approx(equation_3(8, 12, 20), rel=1e-5)


def test_its_config_makes_the_same_schedule():
    schedule = WarmupSchedule(d_model=12, warmup_steps=20, scale=1.5)
    assert schedule.get_config() == {"d_model": 12, "warmup_steps": 20, "scale": 1.5}
    serialized = keras.optimizers.schedules.serialize(schedule)
    copy = keras.optimizers.schedules.deserialize(serialized)
    assert isinstance(copy, WarmupSchedule)
    assert copy.get_config() == schedule.get_config()
    assert float(copy(5)) == float(schedule(5))


def test_an_optimizer_with_it_survives_its_config():
    optimizer = keras.optimizers.Adam(WarmupSchedule(12, 20), 0.9, 0.98, 1e-9)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert float(copy.learning_rate) == float(optimizer.learning_rate) > 0


def test_training_follows_it():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    schedule = WarmupSchedule(d_model=12, warmup_steps=3)
    model.compile(keras.optimizers.SGD(schedule), "mae", jit_compile=False)
    rates, weights = [], [ops.convert_to_numpy(model.weights[0])]

    class AfterEachStep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))
            weights.append(ops.convert_to_numpy(self.model.weights[0]))

    x, y = np.ones((5, 3)), np.full((5, 1), 99.0)
    model.fit(x, y, batch_size=1, verbose=0, callbacks=[AfterEachStep()])
    expected = [equation_3(step, 12, 3) for step in range(1, 7)]
    np.testing.assert_allclose(rates, expected[1:], rtol=1e-5)
    # The gradient of each weight is -1, so a step adds the rate.
    steps = np.diff([weight[0, 0] for weight in weights])
    np.testing.assert_allclose(steps, expected[:5], rtol=1e-4)


@pytest.mark.parametrize("name", ["d_model", "warmup_steps", "scale"])
@pytest.mark.parametrize("value", [0, -2])
def test_a_size_that_leaves_no_rate_is_refused(name, value):
    message = f"WarmupSchedule: got {name}={value}, but .*Give a number above 0"
    with pytest.raises(ValueError, match=message):
        WarmupSchedule(**{"d_model": 12, "warmup_steps": 20, name: value})


@pytest.mark.parametrize("peak_rate", [0, -5e-3])
def test_a_peak_of_nothing_is_refused(peak_rate):
    message = f"WarmupSchedule.from_peak: got peak_rate={peak_rate}, but .*such as 5e-3"
    with pytest.raises(ValueError, match=message):
        WarmupSchedule.from_peak(peak_rate, warmup_steps=20)


@pytest.mark.parametrize("warmup_steps", [0, -2])
def test_a_peak_needs_steps_up_to_it(warmup_steps):
    message = f"WarmupSchedule: got warmup_steps={warmup_steps}, but"
    with pytest.raises(ValueError, match=message):
        WarmupSchedule.from_peak(5e-3, warmup_steps=warmup_steps)
