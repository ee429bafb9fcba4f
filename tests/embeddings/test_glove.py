import gzip
import math
import re
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.embeddings.glove import GloVe, pair_weights, train_glove

V, D = 7, 3
TABLES = ("words", "contexts", "word_biases", "context_biases")
TEXT = [
    ["the", "dog", "runs", "fast"],
    ["the", "cat", "runs", "fast"],
    ["a", "tree", "stands", "still"],
] * 10


def compiled(**options):
    model = GloVe(V, D, seed=1)
    optimizer = keras.optimizers.Adagrad(0.05, initial_accumulator_value=1.0)
    loss = keras.losses.MeanSquaredError(reduction="sum")
    model.compile(optimizer, loss, **options)
    return model


def some_counts():
    """Pairs (P, 2), each once, and counts (P,) below and above x_max = 10."""
    generator = np.random.default_rng(0)
    pairs = [(i, j) for i in range(V) for j in range(V) if generator.random() < 0.5]
    return np.array(pairs, "int32"), generator.uniform(0.1, 20, len(pairs))


def table(model, name):
    """A table as rows, (V, D) or (V, 1)."""
    return ops.convert_to_numpy(getattr(model, name)).T.copy()


def loss_by_loops(w, w_, b, b_, pairs, counts, x_max, alpha):
    """Equation 8, with the weight of equation 9."""
    loss = 0.0
    for (i, j), x in zip(pairs, counts):
        f = (x / x_max) ** alpha if x < x_max else 1.0
        difference = b[i, 0] + b_[j, 0] - math.log(x)
        for d in range(D):
            difference += w[i, d] * w_[j, d]
        loss += f * difference**2
    return loss


def fit_arguments(pairs, counts):
    weights = pair_weights(counts, x_max=10.0)
    return {"x": pairs, "y": np.log(counts)[:, None], "sample_weight": weights}


def test_the_weight_rises_to_one_at_x_max():
    weights = pair_weights(np.array([0.0, 50, 100, 1e9]))
    np.testing.assert_allclose(weights, [0, 0.5**0.75, 1, 1])


def test_the_loss_is_that_of_the_paper():
    model, (pairs, counts) = compiled(), some_counts()
    loss = model.evaluate(
        **fit_arguments(pairs, counts), batch_size=len(pairs), verbose=0
    )
    tables = [table(model, name) for name in TABLES]
    expected = loss_by_loops(*tables, pairs, counts, 10.0, 0.75)
    assert loss == pytest.approx(expected, rel=1e-5)


def test_a_step_is_adagrad_on_the_gradient_of_the_paper():
    model, (pairs, counts) = compiled(), some_counts()
    w, w_, b, b_ = before = [table(model, name) for name in TABLES]
    gradients = [np.zeros_like(array) for array in before]
    for (i, j), x in zip(pairs, counts):
        error = w[i] @ w_[j] + b[i, 0] + b_[j, 0] - math.log(x)
        slope = 2 * min(1, (x / 10)) ** 0.75 * error
        gradients[0][i] += slope * w_[j]
        gradients[1][j] += slope * w[i]
        gradients[2][i] += slope
        gradients[3][j] += slope
    model.fit(
        **fit_arguments(pairs, counts), batch_size=len(pairs), shuffle=False, verbose=0
    )
    for name, old, gradient in zip(TABLES, before, gradients):
        expected = old - 0.05 * gradient / np.sqrt(1 + gradient**2 + 1e-7)
        np.testing.assert_allclose(table(model, name), expected, atol=1e-6)


def test_words_and_contexts_start_apart():
    model = GloVe(V, D)
    assert not np.allclose(table(model, "words"), table(model, "contexts"))
    assert np.abs(table(model, "words")).max() <= 0.5 / D
    expected = table(model, "words") + table(model, "contexts")
    np.testing.assert_array_equal(model.vectors(), expected)


def test_words_in_the_same_places_get_near_vectors_and_the_same_ones_again():
    pytest.importorskip("gensim", reason="gensim is not installed")
    options = {"d_model": 8, "x_max": 10.0, "epochs": 60, "batch_size": 64}
    vectors = train_glove(TEXT, **options)
    assert vectors.similarity("dog", "cat") > vectors.similarity("dog", "tree") + 0.5
    again = train_glove(TEXT, **options)
    np.testing.assert_array_equal(vectors.vectors, again.vectors)


def test_a_text_without_pairs_is_refused():
    pytest.importorskip("gensim", reason="gensim is not installed")
    message = "train_glove: got no two words together with window=10 and min_count=1"
    with pytest.raises(ValueError, match=message):
        train_glove([["a"], ["b"]], min_count=1)


@pytest.mark.parametrize(
    "name", ["d_model", "window", "min_count", "epochs", "batch_size"]
)
def test_numbers_below_one_are_refused(name):
    pytest.importorskip("gensim", reason="gensim is not installed")
    with pytest.raises(ValueError, match=f"train_glove: got {name}=0, but"):
        train_glove(TEXT, **{name: 0})


def test_nothing_is_trained_without_gensim(monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim", None)
    with pytest.raises(ImportError, match="train_glove: got no gensim"):
        train_glove(TEXT)


def test_neighbours_on_real_text(data):
    pytest.importorskip("gensim", reason="gensim is not installed")
    with gzip.open(data / "multi30k/raw/train.en.gz", "rt", encoding="utf-8") as file:
        text = [re.findall(r"\w+", line.lower()) for line in file][:5000]
    vectors = train_glove(text, d_model=32, window=5, min_count=20, x_max=10, epochs=15)
    neighbours = [word for word, _ in vectors.most_similar("man", topn=10)]
    assert "woman" in neighbours
