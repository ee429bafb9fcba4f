import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.training.loss import MaskedCrossentropy
from keras_attention.training.metrics import MaskedAccuracy, MeanOverTokens, Perplexity

V = 13

every_metric = pytest.mark.parametrize("metric_type", [MaskedAccuracy, Perplexity])


def batch(batch_size, length, seed):
    """Labels (B, T), a tenth of them PAD, and logits (B, T, V) that favour them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, V, (batch_size, length)).astype("int32")
    labels[rng.random(labels.shape) < 0.1] = 0
    logits = rng.normal(size=(batch_size, length, V)) + 2 * np.eye(V)[labels]
    return labels, logits.astype("float32")


BATCHES = [batch(2, 5, seed=0), batch(3, 7, seed=1), batch(1, 2, seed=2)]


def real_tokens():
    """All real labels (tokens,) of all batches, and their logits (tokens, V)."""
    labels = np.concatenate([labels[labels != 0] for labels, _ in BATCHES])
    logits = np.concatenate([logits[labels != 0] for labels, logits in BATCHES])
    return labels, logits.astype("float64")


def nats(labels, logits):
    log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -log_probs[np.arange(len(labels)), labels]


def updated(metric, batches):
    for labels, logits in batches:
        metric.update_state(labels, logits)
    return metric


def test_accuracy_is_the_share_of_real_tokens_that_are_right():
    labels, logits = real_tokens()
    expected = np.mean(logits.argmax(axis=-1) == labels)
    assert 0 < expected < 1
    assert float(updated(MaskedAccuracy(), BATCHES).result()) == pytest.approx(expected)


def test_a_right_guess_at_padding_counts_for_nothing():
    labels = np.array([[1, 2, 0, 0]])
    assert float(MaskedAccuracy()(labels, np.eye(4)[None, [1, 3, 0, 0]])) == 0.5


def test_perplexity_over_batches_of_different_sizes_is_that_of_all_their_tokens():
    expected = np.exp(np.mean(nats(*real_tokens())))
    perplexity = updated(Perplexity(), BATCHES)
    assert float(perplexity.result()) == pytest.approx(expected, rel=1e-5)


def test_a_model_that_knows_nothing_hesitates_between_all_tokens():
    assert float(Perplexity()(np.array([[1, 2, 0]]), np.zeros((1, 3, 4)))) == (
        pytest.approx(4.0)
    )


def test_a_model_that_is_sure_does_not_hesitate():
    labels = np.array([[1, 2, 0]])
    assert float(Perplexity()(labels, 99 * np.eye(4)[labels])) == pytest.approx(1.0)


def test_perplexity_is_the_exponential_of_the_loss_without_smoothing():
    labels, logits = BATCHES[0]
    loss = float(MaskedCrossentropy()(labels, logits))
    assert float(Perplexity()(labels, logits)) == pytest.approx(np.exp(loss), rel=1e-6)


@every_metric
def test_a_reset_forgets_what_was_before(metric_type):
    metric = updated(metric_type(), BATCHES)
    metric.reset_state()
    fresh = updated(metric_type(), BATCHES[:1])
    assert float(updated(metric, BATCHES[:1]).result()) == float(fresh.result())


@every_metric
def test_padding_further_changes_nothing(metric_type):
    labels, logits = BATCHES[0]
    longer = np.pad(labels, ((0, 0), (0, 4)))
    more_logits = np.pad(logits, ((0, 0), (0, 4), (0, 0)))
    assert float(metric_type()(longer, more_logits)) == pytest.approx(
        float(metric_type()(labels, logits)), rel=1e-6
    )


@every_metric
def test_a_sentence_of_weight_zero_does_not_count(metric_type):
    labels, logits = BATCHES[0]
    weights = np.array([0.0, 1.0])
    expected = float(metric_type()(labels[1:], logits[1:]))
    for sample_weight in (weights, np.tile(weights[:, None], (1, 5))):
        weighted = metric_type()(labels, logits, sample_weight=sample_weight)
        assert float(weighted) == pytest.approx(expected, rel=1e-6)


@every_metric
def test_where_there_is_nothing_to_predict_the_result_is_finite(metric_type):
    labels, logits = BATCHES[0]
    assert np.isfinite(float(metric_type()(np.zeros_like(labels), logits)))


@every_metric
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_logits_of_fewer_bits_are_computed_on_in_float32(metric_type, dtype):
    labels, logits = BATCHES[0]
    half = ops.cast(logits, dtype)
    result = metric_type()(labels, half)
    assert ops.dtype(result) == "float32"
    assert float(result) == float(metric_type()(labels, ops.cast(half, "float32")))


@every_metric
def test_its_config_makes_the_same_metric(metric_type):
    metric = metric_type(name="mine")
    copy = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(copy) is metric_type
    assert copy.get_config() == metric.get_config()
    assert copy.name == "mine"


def test_the_names_in_the_logs():
    assert [MaskedAccuracy().name, Perplexity().name] == ["accuracy", "perplexity"]


def test_a_metric_without_a_figure_of_its_own_is_unfinished():
    labels, logits = BATCHES[0]
    with pytest.raises(NotImplementedError):
        MeanOverTokens().update_state(labels, logits)
