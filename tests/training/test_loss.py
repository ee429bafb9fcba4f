import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.training.loss import MaskedCrossentropy

B, T, V = 2, 5, 13

every_smoothing = pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])


def batch(seed=0):
    """Labels (B, T), the last two of sentence 1 PAD, and logits (B, T, V)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, V, (B, T)).astype("int32")
    labels[1, 3:] = 0
    return labels, rng.normal(size=(B, T, V)).astype("float32")


def token_losses(labels, logits, smoothing):
    """The loss of each real token, from the definition, in float64."""
    losses = []
    for label, row in zip(labels.ravel(), logits.reshape(-1, V).astype("float64")):
        if label == 0:
            continue
        log_probs = row - np.log(np.exp(row).sum())
        wanted = np.full(V, smoothing / V)
        wanted[label] += 1 - smoothing
        losses.append(-(wanted * log_probs).sum())
    return losses


@every_smoothing
def test_it_is_the_mean_over_the_real_tokens(smoothing):
    labels, logits = batch()
    losses = token_losses(labels, logits, smoothing)
    assert len(losses) == 8
    loss = MaskedCrossentropy(smoothing)(labels, logits)
    assert ops.shape(loss) == ()
    assert float(loss) == pytest.approx(np.mean(losses), rel=1e-5)


@every_smoothing
def test_without_padding_it_is_the_loss_of_keras(smoothing):
    labels, logits = batch()
    labels = np.maximum(labels, 1)
    theirs = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=smoothing
    )
    expected = float(theirs(np.eye(V, dtype="float32")[labels], logits))
    assert float(MaskedCrossentropy(smoothing)(labels, logits)) == pytest.approx(
        expected, rel=1e-5
    )


def test_without_smoothing_it_is_the_sparse_loss_of_keras():
    labels, logits = batch()
    labels = np.maximum(labels, 1)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(MaskedCrossentropy()(labels, logits)) == pytest.approx(
        float(theirs(labels, logits)), rel=1e-5
    )


def test_a_guess_at_random_costs_the_logarithm_of_the_vocabulary():
    loss = MaskedCrossentropy(0.1)(np.array([[1, 2, 0]]), np.zeros((1, 3, 4)))
    assert float(loss) == pytest.approx(np.log(4))


@every_smoothing
def test_padding_further_changes_nothing(smoothing):
    labels, logits = batch()
    longer = np.pad(labels, ((0, 0), (0, 4)))
    more_logits = np.pad(logits, ((0, 0), (0, 4), (0, 0)), constant_values=7)
    more_logits[:, T:, 3] = 99
    loss = MaskedCrossentropy(smoothing)
    assert float(loss(longer, more_logits)) == pytest.approx(
        float(loss(labels, logits)), rel=1e-6
    )


def test_where_there_is_nothing_to_predict_the_loss_is_zero():
    labels, logits = batch()
    assert float(MaskedCrossentropy(0.1)(np.zeros_like(labels), logits)) == 0


@pytest.mark.parametrize("shape", [(B,), (B, 1), (B, T)], ids=str)
def test_a_weight_multiplies_the_loss_of_its_sentence_or_token(shape):
    labels, logits = batch()
    weights = np.random.default_rng(1).random(shape).astype("float32")
    each = np.broadcast_to(weights[:, None] if len(shape) == 1 else weights, (B, T))
    expected = np.dot(token_losses(labels, logits, 0.1), each[labels != 0]) / 8
    loss = MaskedCrossentropy(0.1)(labels, logits, sample_weight=weights)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [("bfloat16", 0.02), ("float16", 0.002)])
def test_logits_of_fewer_bits_are_computed_on_in_float32(dtype, tolerance):
    labels, logits = batch()
    half = ops.cast(logits, dtype)
    loss = MaskedCrossentropy(0.1)(labels, half)
    assert ops.dtype(loss) == "float32"
    same = MaskedCrossentropy(0.1)(labels, ops.cast(half, "float32"))
    assert float(loss) == float(same)
    full = MaskedCrossentropy(0.1)(labels, logits)
    assert float(loss) == pytest.approx(float(full), abs=tolerance)


@pytest.mark.parametrize("size", [1e4, -1e4, 1e8])
def test_logits_of_any_size_give_a_finite_loss(size):
    labels, logits = batch()
    assert np.isfinite(float(MaskedCrossentropy(0.1)(labels, size * logits)))


@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_labels_of_another_dtype_are_the_same_labels(dtype):
    labels, logits = batch()
    loss = MaskedCrossentropy()
    assert float(loss(labels.astype(dtype), logits)) == float(loss(labels, logits))


@every_smoothing
def test_the_gradient_is_probability_less_what_was_wanted_per_real_token(smoothing):
    labels, logits = batch()
    gradient = gradient_of(MaskedCrossentropy(smoothing), labels, logits)
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
    wanted = (1 - smoothing) * np.eye(V)[labels] + smoothing / V
    expected = (probabilities - wanted) * (labels != 0)[..., None] / 8
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    np.testing.assert_allclose(gradient.sum(axis=-1), 0, atol=1e-6)
    assert not gradient[labels == 0].any()


def test_a_label_held_to_be_impossible_still_pulls_with_all_its_weight():
    labels, logits = batch()
    np.put_along_axis(logits, labels[..., None], -200.0, axis=-1)
    gradient = gradient_of(MaskedCrossentropy(0.1), labels, logits)
    pulled = np.take_along_axis(gradient, labels[..., None], axis=-1)[..., 0]
    expected = np.where(labels != 0, -(0.9 + 0.1 / V) / 8, 0)
    np.testing.assert_allclose(pulled, expected, rtol=1e-4, atol=1e-5)


def gradient_of(loss, labels, logits):
    """d loss / d logits, by one step of gradient descent at rate 1."""
    layer = LogitsAsWeights(logits)
    model = keras.Sequential([keras.Input((T,)), layer])
    model.compile(keras.optimizers.SGD(1.0), loss, run_eagerly=True)
    model.train_on_batch(np.zeros((B, T)), labels)
    return logits - ops.convert_to_numpy(layer.logits)


class LogitsAsWeights(keras.layers.Layer):
    """Anything -> the same logits (B, T, V), which are its weights."""

    def __init__(self, logits):
        super().__init__()
        self.logits = self.add_weight(
            shape=logits.shape, initializer=lambda shape, dtype: ops.cast(logits, dtype)
        )

    def call(self, x):
        return self.logits + 0 * ops.sum(x)


def test_its_config_makes_the_same_loss():
    loss = MaskedCrossentropy(label_smoothing=0.3, name="mine")
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(copy, MaskedCrossentropy)
    assert copy.get_config() == loss.get_config()
    assert copy.label_smoothing == 0.3 and copy.name == "mine"
    labels, logits = batch()
    assert float(copy(labels, logits)) == float(loss(labels, logits))


@pytest.mark.parametrize("wrong", [-0.1, 1, 1.5, float("nan")])
def test_smoothing_outside_of_its_range_is_refused(wrong):
    message = rf"MaskedCrossentropy: got label_smoothing={wrong}, but .*in \[0, 1\)"
    with pytest.raises(ValueError, match=message):
        MaskedCrossentropy(label_smoothing=wrong)
