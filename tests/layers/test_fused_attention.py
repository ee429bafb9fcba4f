"""The fused operation = the definition, wherever it takes its place."""

import keras
import numpy as np
import pytest
from keras import ops
from references import numpy, vectors

import keras_attention as ka
import keras_attention.layers.attention as definition
from keras_attention.layers.attention import (
    attention_context,
    fused_attention,
    scaled_dot_product_attention,
)

B, N, T, S, H = 2, 3, 5, 7, 8
# Even lengths: on JAX it is not taken for odd ones.
SOURCE_IDS = np.array([[5, 6, 7, 3, 0, 0], [8, 3, 0, 0, 0, 0]], "int32")
TARGET_IDS = np.array([[2, 4, 9, 5, 6, 8], [2, 7, 0, 0, 0, 0]], "int32")


@pytest.fixture
def fused(monkeypatch):
    """The fused operation taken, as if it were faster here; call it to end that."""
    monkeypatch.setattr(definition, "fused_is_faster", lambda: True)
    return monkeypatch.undo


def queries_keys_values():
    shapes = (B, N, T, H), (B, N, S, H), (B, N, S, H)
    return [vectors(*shape, seed=seed) for seed, shape in enumerate(shapes)]


def masks():
    random = np.random.default_rng(4)
    padding = np.arange(S) < np.array([[7], [3]])  # (B, S)
    return {
        "none": None,
        "padding": padding[:, None, None, :],
        "causal": (np.arange(T)[:, None] >= np.arange(S))[None, None],
        "of each query": random.random((B, 1, T, S)) < 0.6,
        "of each head": random.random((B, N, T, S)) < 0.6,
        "nothing seen": np.zeros((B, 1, T, S), "bool"),
    }


@pytest.mark.parametrize("kind", masks())
def test_it_is_the_definition_under_every_mask(kind):
    query, key, value = queries_keys_values()
    expected, _ = scaled_dot_product_attention(query, key, value, masks()[kind])
    context = fused_attention(query, key, value, masks()[kind])
    np.testing.assert_allclose(numpy(context), numpy(expected), atol=2e-6)


@pytest.mark.parametrize("dtype, tolerance", [("bfloat16", 0.03), ("float16", 4e-3)])
def test_in_fewer_bits_it_is_near_the_definition(dtype, tolerance):
    parts = [ops.cast(part, dtype) for part in queries_keys_values()]
    for mask in masks().values():
        context = fused_attention(*parts, mask)
        assert ops.dtype(context) == dtype
        expected, _ = scaled_dot_product_attention(*parts, mask)
        np.testing.assert_allclose(numpy(context), numpy(expected), atol=tolerance)


def test_it_is_not_taken_where_weights_are_dropped(fused, monkeypatch):
    query, key, value = queries_keys_values()
    expected, _ = scaled_dot_product_attention(query, key, value)
    monkeypatch.setattr(definition, "fused_attention", lambda *parts: "fused")
    assert attention_context(query, key, value) == "fused"
    doubled = attention_context(query, key, value, None, lambda weights: 2 * weights)
    np.testing.assert_allclose(numpy(doubled), 2 * numpy(expected), rtol=1e-4)


@pytest.mark.parametrize("queries, keys", [(4, 6), (5, 6), (4, 7), (5, 7)])
def test_it_is_not_taken_where_cudnn_has_no_gradients(
    fused, monkeypatch, queries, keys
):
    query, key, value = queries_keys_values()
    parts = query[:, :, :queries], key[:, :, :keys], value[:, :, :keys]
    mask = masks()["padding"][..., :keys]
    expected, _ = scaled_dot_product_attention(*parts, mask)
    monkeypatch.setattr(definition, "fused_attention", lambda *parts: "fused")
    assert attention_context(*parts) == "fused"
    context = attention_context(*parts, mask)
    if keras.backend.backend() == "jax" and (queries % 2 or keys % 2):
        np.testing.assert_allclose(numpy(context), numpy(expected), rtol=1e-6)
    else:
        assert context == "fused"


@pytest.mark.parametrize("devices", [(), ("gpu:0",)])
@pytest.mark.parametrize("allowed", [False, True])
def test_it_is_taken_on_an_accelerator_whose_backend_has_it(
    monkeypatch, devices, allowed
):
    monkeypatch.setattr(definition, "accelerators", lambda: devices)
    if not allowed:
        keras.config.disable_flash_attention()
    has_it = keras.backend.backend() in ("jax", "torch")
    assert definition.fused_is_faster() == (has_it and bool(devices) and allowed)
    keras.config.enable_flash_attention()


def made(**options):
    return ka.Transformer(
        11, 13, num_layers=2, d_model=24, num_heads=3, d_ff=20, **options
    )


def test_a_model_answers_the_same(fused):
    model = made()
    inputs = {"source_ids": SOURCE_IDS, "target_ids": TARGET_IDS}
    logits = numpy(model(inputs))
    fused()
    np.testing.assert_allclose(numpy(model(inputs)), logits, atol=1e-5)


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_future_stays_hidden(fused, norm_first):
    model = made(norm_first=norm_first, dropout_rate=0.3)
    first = numpy(model({"source_ids": SOURCE_IDS, "target_ids": TARGET_IDS}))
    for t in range(1, 6):
        changed = TARGET_IDS.copy()
        changed[:, t:] = 10
        logits = numpy(model({"source_ids": SOURCE_IDS, "target_ids": changed}))
        np.testing.assert_array_equal(logits[0, :t], first[0, :t])
        assert not np.array_equal(logits[0, t:], first[0, t:])


def test_padding_further_changes_nothing(fused):
    model = made()
    logits = numpy(model({"source_ids": SOURCE_IDS, "target_ids": TARGET_IDS}))
    longer = {
        "source_ids": np.pad(SOURCE_IDS, ((0, 0), (0, 2))),
        "target_ids": np.pad(TARGET_IDS, ((0, 0), (0, 4))),
    }
    np.testing.assert_allclose(numpy(model(longer))[:, :6], logits, atol=1e-5)


def test_training_moves_the_weights_alike(fused):
    """Also where a sentence is nothing but padding, and sees nothing."""
    source_ids = np.concatenate([SOURCE_IDS, np.zeros_like(SOURCE_IDS[:1])])
    target_ids = np.concatenate([TARGET_IDS, np.zeros_like(TARGET_IDS[:1])])
    labels = np.roll(target_ids, -1, axis=1)
    trained = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        model = made(dropout_rate=0.0)
        model.compile(keras.optimizers.SGD(0.1), ka.MaskedCrossentropy(0.1))
        model.train_on_batch(
            {"source_ids": source_ids, "target_ids": target_ids}, labels
        )
        trained.append([numpy(weight) for weight in model.trainable_weights])
        fused()
    for with_fused, plain in zip(*trained):
        np.testing.assert_allclose(with_fused, plain, atol=2e-6)


def test_the_weights_that_are_asked_for_are_those_of_the_definition(fused):
    layer, x = ka.MultiHeadSelfAttention(3, causal=True), vectors(B, 6, 24)
    attended = numpy(layer(x))
    again, weights = layer(x, return_attention_scores=True)
    np.testing.assert_allclose(numpy(weights).sum(axis=-1), 1, rtol=1e-6)
    np.testing.assert_allclose(numpy(again), attended, atol=1e-5)
