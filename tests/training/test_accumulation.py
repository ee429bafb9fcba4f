import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.special_tokens import PAD
from keras_attention.training.accumulation import accumulation_steps
from keras_attention.training.loss import MaskedCrossentropy
from keras_attention.training.schedule import WarmupSchedule


@pytest.mark.parametrize(
    "update_tokens, batch_tokens, steps",
    [(8192, 4096, 2), (8193, 4096, 3), (25_000, 4096, 7), (4097, 4096, 2)],
)
def test_the_batches_of_an_update_have_its_tokens(update_tokens, batch_tokens, steps):
    assert accumulation_steps(update_tokens, batch_tokens) == steps
    assert steps * batch_tokens >= update_tokens > (steps - 1) * batch_tokens


@pytest.mark.parametrize("update_tokens", [1, 4095, 4096])
def test_where_one_batch_is_enough_nothing_is_accumulated(update_tokens):
    assert accumulation_steps(update_tokens, 4096) is None


@pytest.mark.parametrize("tokens", [(8192, 4096), (100, 4096), (25_000.0, 4096)])
def test_keras_takes_what_it_returns(tokens):
    steps = accumulation_steps(*tokens)
    optimizer = keras.optimizers.Adam(gradient_accumulation_steps=steps)
    assert optimizer.get_config()["gradient_accumulation_steps"] == steps
    assert isinstance(steps, int | None)


@pytest.mark.parametrize("name", ["update_tokens", "batch_tokens"])
@pytest.mark.parametrize("tokens", [0, -5])
def test_less_than_a_token_is_refused(name, tokens):
    sizes = {"update_tokens": 8, "batch_tokens": 4, name: tokens}
    message = f"accumulation_steps: got {name}={tokens}, but .*at least 1 token"
    with pytest.raises(ValueError, match=message):
        accumulation_steps(**sizes)


# What Keras makes of it.


def batch(seed, real_tokens, rows=4, width=5):
    """Labels (rows, width), of which the first tokens of the batch are real."""
    labels = np.random.default_rng(seed).integers(4, 11, rows * width)
    labels[real_tokens:] = PAD
    return labels.reshape(rows, width).astype("int32")


def model_of(optimizer):
    """Learn to say labels over from ids; the same weights each time."""
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Embedding(11, 6), keras.layers.Dense(11)]
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])
    model.compile(optimizer, MaskedCrossentropy(), jit_compile=False)
    return model


def weights_of(model):
    return [ops.convert_to_numpy(weight).copy() for weight in model.trainable_weights]


def train(model, batches, **options):
    for labels in batches:
        model.train_on_batch((labels + 1) % 11, labels, **options)
    return weights_of(model)


def test_batches_of_equal_tokens_add_up_to_one_large_batch():
    batches = [batch(seed, real_tokens=13) for seed in range(3)]
    whole = train(model_of(keras.optimizers.SGD(0.5)), [np.concatenate(batches)])
    accumulating = keras.optimizers.SGD(0.5, gradient_accumulation_steps=3)
    parts = train(model_of(accumulating), batches)
    start = weights_of(model_of("sgd"))
    for before, one, other in zip(start, whole, parts):
        assert np.abs(one - before).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_a_token_among_fewer_weighs_more_by_the_mean_of_the_batches():
    sizes = [20, 13, 9]
    batches = [batch(seed, size) for seed, size in enumerate(sizes)]
    accumulating = keras.optimizers.SGD(0.5, gradient_accumulation_steps=3)
    parts = train(model_of(accumulating), batches)
    weights = np.repeat(np.mean(sizes) / sizes, 4).astype("float32")  # (3 * rows,)
    joint, model = np.concatenate(batches), model_of(keras.optimizers.SGD(0.5))
    weighted = train(model, [joint], sample_weight=weights)
    unweighted = train(model_of(keras.optimizers.SGD(0.5)), [joint])
    for one, other, third in zip(parts, weighted, unweighted):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
        assert np.abs(one - third).max() > 1e-4


def test_a_group_that_is_not_whole_waits_for_the_next_batch():
    optimizer = keras.optimizers.SGD(0.5, gradient_accumulation_steps=2)
    model, start = model_of(optimizer), weights_of(model_of("sgd"))
    first, second, third = (batch(seed, real_tokens=13) for seed in range(3))
    assert all(map(np.array_equal, train(model, [first]), start))
    after_two = train(model, [second])
    assert not any(map(np.array_equal, after_two, start))
    assert all(map(np.array_equal, train(model, [third]), after_two))


def test_a_saved_optimizer_keeps_what_it_has_added_up(tmp_path):
    batches = [batch(seed, real_tokens=13) for seed in range(3)]
    optimizer = keras.optimizers.SGD(0.5, gradient_accumulation_steps=3)
    expected = train(model_of(optimizer), batches)
    optimizer = keras.optimizers.SGD(0.5, gradient_accumulation_steps=3)
    interrupted = model_of(optimizer)
    train(interrupted, batches[:2])
    interrupted.save(tmp_path / "model.keras")
    resumed = keras.saving.load_model(tmp_path / "model.keras")
    for one, other in zip(train(resumed, batches[2:]), expected):
        np.testing.assert_array_equal(one, other)


def test_a_schedule_counts_batches():
    """The same rates at the same updates, from k times the warm-up and k**0.5."""
    plain = keras.optimizers.SGD(WarmupSchedule(6, warmup_steps=2, scale=3.0))
    schedule = WarmupSchedule(6, warmup_steps=3 * 2, scale=3**0.5 * 3.0)
    optimizer = keras.optimizers.SGD(schedule, gradient_accumulation_steps=3)
    model, accumulating = model_of(plain), model_of(optimizer)
    for seed in range(4):
        labels = batch(seed, real_tokens=13)
        one, other = train(model, [labels]), train(accumulating, [labels] * 3)
        for weight, same in zip(one, other):
            np.testing.assert_allclose(weight, same, rtol=1e-4, atol=1e-6)


def test_the_moving_average_counts_batches():
    """With m ** (1 / k), an update is as old to it after k batches as at m after 1."""
    optimizer = keras.optimizers.SGD(
        0.5, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.5**0.5
    )
    model = model_of(optimizer)
    labels = batch(0, real_tokens=13)
    after_update, *_ = train(model, [labels] * 2)  # the average starts from here
    after_second, *_ = train(model, [labels] * 2)
    train(model, [labels])  # and this batch moves only the average
    optimizer.finalize_variable_values(model.trainable_weights)
    average, *_ = weights_of(model)
    expected = 0.5 * after_update + 0.5 * after_second
    np.testing.assert_allclose(average, expected, rtol=1e-5, atol=1e-7)
