"""The two heads are the paper's, learn by plain `fit`, and are saved whole."""

import math

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.models.bert import Bert
from keras_attention.models.bert_pretraining import BertPretraining

V = 17


def make_bert(**settings):
    sizes = {"num_layers": 1, "d_model": 12, "num_heads": 3, "d_ff": 20}
    return Bert(V, **{**sizes, "max_length": 16, "dropout_rate": 0.0, **settings})


def make_inputs(rows=2, seed=0):
    draw = np.random.default_rng(seed)
    ids = draw.integers(5, V, (rows, 7))
    ids[0, 5:] = 0
    positions = np.array([[1, 4, 0], [2, 3, 6]])[np.arange(rows) % 2]
    segments = np.tile([0, 0, 0, 1, 1, 1, 1], (rows, 1))
    return {"token_ids": ids, "segment_ids": segments, "positions": positions}


@pytest.fixture(scope="module")
def pretraining():
    keras.utils.set_random_seed(0)
    model = BertPretraining(make_bert())
    # Norm and biases begin at what hides whether they are there.
    draw = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(weight + 0.3 * draw.normal(size=weight.shape))
    return model


def numpy(tree):
    return {name: ops.convert_to_numpy(value) for name, value in tree.items()}


def test_the_heads_are_those_of_the_paper(pretraining):
    inputs = make_inputs()
    bert = {name: inputs[name] for name in ("token_ids", "segment_ids")}
    hidden = ops.convert_to_numpy(pretraining.bert(bert))
    found = numpy(pretraining(inputs))

    def weights(layer):
        return map(ops.convert_to_numpy, layer.weights)

    kernel, bias = weights(pretraining.token_transform)
    gamma, beta = weights(pretraining.token_norm)
    (output_bias,), (matrix,) = map(
        weights, (pretraining.token_bias, pretraining.bert.embedding)
    )
    for row in range(2):
        for place, position in enumerate(inputs["positions"][row]):
            x = hidden[row, position] @ kernel + bias
            x = x * 0.5 * (1 + np.vectorize(math.erf)(x / np.sqrt(2)))
            x = gamma * (x - x.mean()) / x.std() + beta
            expected = matrix @ x + output_bias
            np.testing.assert_allclose(
                found["tokens"][row, place], expected, atol=1e-4, rtol=1e-4
            )
    kernel, bias = weights(pretraining.pooler)
    pooled = np.tanh(hidden[:, 0] @ kernel + bias)
    kernel, bias = weights(pretraining.next_output)
    np.testing.assert_allclose(found["next"], pooled @ kernel + bias, atol=1e-4)


def test_loss_and_metrics_are_means_over_what_is_asked(pretraining):
    inputs, labels = make_inputs(), np.array([[5, 6, 0], [7, 8, 9]])
    model = BertPretraining(pretraining.bert, next_sentence=False)
    model.compile("sgd", ka.MaskedCrossentropy(), metrics=[ka.Perplexity()])
    found = model.evaluate(
        inputs, {"tokens": labels}, batch_size=2, verbose=0, return_dict=True
    )
    logits = numpy(model(inputs))["tokens"].astype("float64")
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nats = [-log_probs[r, m, labels[r, m]] for r, m in np.argwhere(labels)]
    assert len(nats) == 5
    assert found["loss"] == pytest.approx(np.mean(nats), abs=1e-4)
    assert found["perplexity"] == pytest.approx(np.exp(np.mean(nats)), rel=1e-3)


def test_both_heads_learn_by_fit():
    keras.utils.set_random_seed(0)
    model = BertPretraining(make_bert())
    before = [ops.convert_to_numpy(weight).copy() for weight in model.weights]
    model.compile(
        keras.optimizers.Adam(0.01),
        {
            "tokens": ka.MaskedCrossentropy(),
            "next": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        },
        metrics={"tokens": [ka.MaskedAccuracy()], "next": ["accuracy"]},
    )
    inputs = make_inputs(8)
    draw = np.random.default_rng(1)
    tokens = draw.integers(5, V, (8, 3)) * (inputs["positions"] > 0)
    labels = {"tokens": tokens, "next": draw.integers(0, 2, 8)}
    history = model.fit(inputs, labels, epochs=8, verbose=0, shuffle=False).history
    assert history["tokens_loss"][-1] < 0.8 * history["tokens_loss"][0]
    assert history["next_loss"][-1] < 0.8 * history["next_loss"][0]
    assert {"tokens_accuracy", "next_accuracy"} <= set(history)
    unmoved = [
        weight.path
        for weight, old in zip(model.weights, before)
        if np.array_equal(old, ops.convert_to_numpy(weight))
    ]
    assert not unmoved


def test_the_matrix_is_that_of_the_embedding(pretraining):
    sizes = [layer.count_params() for layer in (pretraining.bert, pretraining)]
    d = 12
    heads = (d + 1) * d + 2 * d + V + (d + 1) * d + 2 * (d + 1)
    assert sizes[1] - sizes[0] == heads


def test_without_an_order_of_sentences_there_is_one_head():
    model = BertPretraining(make_bert(), next_sentence=False)
    assert set(model(make_inputs())) == {"tokens"}
    assert model.pooler is None
    assert not BertPretraining.from_config(model.get_config()).next_sentence


def test_a_file_holds_all_of_it(pretraining, tmp_path):
    pretraining.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == pretraining.get_config()
    inputs = make_inputs()
    expected, found = numpy(pretraining(inputs)), numpy(loaded(inputs))
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
    assert loaded.bert.embedding is loaded.get_layer("embedding")


def test_something_else_than_a_bert_is_refused():
    with pytest.raises(TypeError, match="BertPretraining: got bert of type Dense"):
        BertPretraining(keras.layers.Dense(3))
