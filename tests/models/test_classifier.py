"""A text's class depends on its tokens, and on no padding."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.models.classifier import TextClassifier, mean_over_tokens

B, T, V, C = 2, 7, 13, 3
SIZES = {"num_layers": 2, "d_model": 12, "num_heads": 3, "d_ff": 20}


def make(**settings):
    return TextClassifier(V, C, **{**SIZES, **settings})


@pytest.fixture(scope="module", params=[False, True], ids=["norm_last", "norm_first"])
def classifier(request):
    return make(norm_first=request.param)


def numpy(x):
    return ops.convert_to_numpy(x)


def token_ids(seed=0, length=T):
    return np.random.default_rng(seed).integers(1, V, (B, length)).astype("int32")


def test_its_logits_are_those_of_the_mean_of_the_encoder_s_vectors(classifier):
    ids = token_ids()
    ids[1, 4:] = 0
    x = numpy(classifier.encoder(ids))
    mean = np.array([x[0].mean(axis=0), x[1, :4].mean(axis=0)])
    kernel, bias = map(numpy, classifier.get_layer("head").weights)
    assert kernel.shape == (12, C)
    np.testing.assert_allclose(numpy(classifier(ids)), mean @ kernel + bias, atol=1e-5)


def test_padding_changes_nothing(classifier):
    longer = np.pad(token_ids(), ((0, 0), (0, 3)))
    np.testing.assert_allclose(
        numpy(classifier(longer)), numpy(classifier(token_ids())), atol=1e-5
    )


def test_the_order_of_the_words_matters(classifier):
    ids = token_ids()
    assert not np.allclose(
        numpy(classifier(ids)), numpy(classifier(ids[:, ::-1].copy())), atol=1e-4
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_mean_is_over_the_tokens_that_are_there(dtype):
    x = ops.convert_to_tensor(np.arange(24.0).reshape(2, 3, 4), dtype=dtype)
    mean = mean_over_tokens(x, ops.convert_to_tensor([[5, 6, 0], [0, 0, 0]]))
    assert keras.backend.standardize_dtype(mean.dtype) == dtype
    expected = [[2, 3, 4, 5], [0, 0, 0, 0]]
    np.testing.assert_array_equal(numpy(ops.cast(mean, "float32")), expected)


@pytest.mark.tensorflow  # JAX compiles for ten seconds
def test_it_learns_though_a_row_is_all_padding():
    classifier = make(num_layers=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(0.03), loss, jit_compile=False)
    ids, labels = np.array([[5, 6, 7], [8, 9, 0], [0, 0, 0]], "int32"), np.arange(3)
    losses = [float(classifier.train_on_batch(ids, labels)) for _ in range(15)]
    assert np.isfinite(losses).all()
    assert numpy(classifier(ids)).argmax(axis=1).tolist() == [0, 1, 2]


def test_its_maps_are_the_encoder_s(classifier):
    maps = classifier.attention_maps(token_ids())["encoder"]
    assert [tuple(weights.shape) for weights in maps] == 2 * [(B, 3, T, T)]


def test_a_file_holds_all_of_it(classifier, tmp_path):
    classifier.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.get_config() == classifier.get_config()
    np.testing.assert_array_equal(
        numpy(loaded(token_ids())), numpy(classifier(token_ids()))
    )


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_heads": 5}, "d_model=12 and num_heads=5"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"dropout_rate": 1.0}, "dropout_rate=1.0"),
    ],
)
def test_sizes_that_can_not_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=f"TextClassifier: got .*{message}"):
        make(**settings)


def test_an_id_outside_of_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="text_classifier: got the id 13 .*0 to 12"):
        make()(np.array([[2, 13]]))
