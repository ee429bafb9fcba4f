import inspect

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka

B, T, S, D, K = 2, 5, 7, 12, 3
SOURCE_V, TARGET_V = 17, 13
BACKEND = keras.backend.backend()

# The variants that are saved, trained and searched with, by their arguments.
VARIANTS = {
    "LSTM": {"num_layers": 2},
    "GRU, additive, both ways": {
        "cell": "gru",
        "attention": "additive",
        "bidirectional": True,
    },
    "RNN, multiplicative, shared, bfloat16": {
        "source_vocab_size": TARGET_V,
        "share_embeddings": True,
        "cell": "simple_rnn",
        "attention": "multiplicative",
        "dtype": "mixed_bfloat16",
    },
}
every_variant = pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)


def made(**options):
    vocabularies = {"source_vocab_size": SOURCE_V, "target_vocab_size": TARGET_V}
    return ka.RecurrentSeq2Seq(**{**vocabularies, "d_model": D, **options})


def batch(seed=0, rows=B):
    """Ids (B, S) and (B, T) from 4 on, the last ones of sentence 0 PAD."""
    rng = np.random.default_rng(seed)
    source_ids = rng.integers(4, TARGET_V, (rows, S)).astype("int32")
    target_ids = rng.integers(4, TARGET_V, (rows, T)).astype("int32")
    target_ids[:, 0] = 2
    source_ids[0, 4:], target_ids[0, 3:] = 0, 0
    return {"source_ids": source_ids, "target_ids": target_ids}


def labels(inputs, seed=1):
    targets = np.random.default_rng(seed).integers(4, TARGET_V, (B, T))
    return (targets * (inputs["target_ids"] != 0)).astype("int32")


def another(ids):
    """For each id from 4 on the next one, and 4 for the last."""
    return 4 + (ids - 3) % (TARGET_V - 4)


def numpy(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def tolerance(model):
    return 1e-5 if model.compute_dtype == "float32" else 0.1


@every_variant
def test_padding_further_changes_nothing_before_it(options):
    model, inputs = made(**options), batch()
    longer = {name: np.pad(ids, ((0, 0), (0, 4))) for name, ids in inputs.items()}
    real, logits = inputs["target_ids"] != 0, numpy(model(inputs))
    assert logits.shape == (B, T, TARGET_V)
    np.testing.assert_allclose(
        numpy(model(longer))[:, :T][real], logits[real], atol=tolerance(model)
    )


def test_a_later_token_moves_no_earlier_logit_by_one_bit():
    model = made(attention="additive", bidirectional=True)
    inputs = {name: np.repeat(ids[1:], T, 0) for name, ids in batch().items()}
    before = numpy(model(inputs))
    later = np.arange(T) >= np.arange(T)[:, None]  # in row t all tokens from t on
    target_ids = np.where(later, another(inputs["target_ids"]), inputs["target_ids"])
    after = numpy(model({**inputs, "target_ids": target_ids}))
    np.testing.assert_array_equal(np.any(after != before, axis=2), later)


def test_every_source_token_moves_the_logits_without_attention():
    model = made(num_layers=2)
    inputs = {name: np.repeat(ids[1:], S, 0) for name, ids in batch().items()}
    before = numpy(model(inputs))
    source_ids = inputs["source_ids"]
    source_ids = np.where(np.eye(S, dtype="bool"), another(source_ids), source_ids)
    after = numpy(model({**inputs, "source_ids": source_ids}))
    assert np.any(after != before, axis=(1, 2)).all()


@every_variant
def test_step_by_step_is_the_same_as_all_at_once_for_several_hypotheses(options):
    model = made(**options)
    source_ids = batch()["source_ids"]
    target_ids = np.random.default_rng(3).integers(4, TARGET_V, (B * K, T))
    target_ids = target_ids.astype("int32")  # K hypotheses of each, side by side
    repeated = np.repeat(source_ids, K, axis=0)
    all_at_once = numpy(model({"source_ids": repeated, "target_ids": target_ids}))
    cache, memory_cache = model.start(source_ids, max_length=T)
    cache = keras.tree.map_structure(lambda leaf: ops.repeat(leaf, K, axis=0), cache)
    cross = []
    if model.config["attention"]:
        [cross] = model.attention_maps(repeated, target_ids)["cross"]
        assert tuple(cross.shape) == (B * K, 1, T, S)
        cross = [numpy(cross)]
    for t in range(T):
        token_ids = ops.convert_to_tensor(target_ids[:, t])
        logits, cache, maps = model.step(token_ids, cache, t, memory_cache)
        np.testing.assert_allclose(
            numpy(logits), all_at_once[:, t], atol=tolerance(model)
        )
        assert len(maps) == len(cross) == model.cross_attention_shape[0]
        for found, expected in zip(maps, cross):
            np.testing.assert_allclose(
                numpy(found), expected[:, :, t], atol=tolerance(model)
            )


def test_encoding_gives_the_memory_that_the_attention_looks_at():
    model, inputs = made(attention="additive", cell="simple_rnn"), batch()
    _, memory_cache = model.start(inputs["source_ids"])
    memory = model.encode(inputs["source_ids"])
    assert tuple(memory.shape) == (B, S, D)
    np.testing.assert_array_equal(numpy(memory), numpy(memory_cache["value"]))


def test_the_attention_maps_hide_padding_and_sum_to_one():
    model, inputs = made(attention="multiplicative"), batch()
    maps = model.attention_maps(**inputs)
    assert maps["encoder"] == maps["decoder"] == []
    [weights] = map(numpy, maps["cross"])
    assert not weights[0, ..., 4:].any()
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)


def test_a_model_without_attention_has_no_maps_and_says_so():
    model = made(name="mine")
    assert model.cross_attention_shape == (0, 0)
    message = "mine: got attention=None, but only attention has a map.*'additive'"
    with pytest.raises(ValueError, match=message):
        model.attention_maps(**batch())


@every_variant
def test_every_weight_learns_and_a_sentence_of_padding_leaves_them_finite(options):
    model, inputs = made(**options), batch()
    inputs["source_ids"][0], inputs["target_ids"][0] = 0, 0
    model.compile("adam", ka.MaskedCrossentropy(0.1), run_eagerly=True)
    before = [numpy(weight) for weight in model.trainable_variables]
    model.train_on_batch(inputs, labels(inputs))
    after = [numpy(weight) for weight in model.trainable_variables]
    assert all(np.isfinite(weight).all() for weight in after)
    unmoved = [
        weight.path
        for weight, old, new in zip(model.trainable_variables, before, after)
        if np.array_equal(old, new)
    ]
    assert not unmoved


def test_plain_fit_learns():
    model, inputs = made(attention="additive", dropout_rate=0.0), batch()
    model.compile(
        keras.optimizers.Adam(0.02),
        ka.MaskedCrossentropy(),
        metrics=[ka.MaskedAccuracy()],
        jit_compile=BACKEND == "jax",
    )
    history = model.fit(
        inputs, labels(inputs), epochs=30, verbose=0, batch_size=B
    ).history
    assert history["accuracy"][-1] == 1.0
    assert history["loss"][-1] < 0.3 * history["loss"][0]


def parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


@pytest.mark.parametrize(
    "options, expected",
    [
        # Embeddings; an LSTM has four gates, each W, U and b.
        ({}, (SOURCE_V + TARGET_V) * D + 2 * 4 * (2 * D * D + D)),
        # Two halves: W (D, D / 2), U (D / 2, D / 2), b; then W (D, D) of the attention,
        # and (2D, D) of equation 5.
        (
            {
                "cell": "simple_rnn",
                "bidirectional": True,
                "attention": "multiplicative",
            },
            (SOURCE_V + TARGET_V) * D
            + 2 * (D * D // 2 + D * D // 4 + D // 2)
            + (2 * D * D + D)
            + D * D
            + 2 * D * D,
        ),
    ],
    ids=["lstm", "rnn"],
)
def test_the_number_of_parameters_is_that_of_the_equations(options, expected):
    assert parameters(made(**options)) == expected


def test_the_config_lists_the_arguments_and_what_is_frozen():
    arguments = set(inspect.signature(ka.RecurrentSeq2Seq).parameters) - {"kwargs"}
    assert set(made().get_config()) == arguments | {"frozen"}


@every_variant
def test_a_saved_model_loads_equal_to_the_bit(options, tmp_path):
    model = made(**options)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(numpy(loaded(batch())), numpy(model(batch())))


@pytest.mark.parametrize("name", ["num_layers", "d_model", "target_vocab_size"])
def test_a_size_below_one_is_refused(name):
    with pytest.raises(ValueError, match=f"RecurrentSeq2Seq: got {name}=0, but there"):
        made(**{name: 0})


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"cell": "rnn"}, "got cell='rnn', but there are only 'simple_rnn', 'gru'"),
        ({"attention": "dot"}, "got attention='dot', but there are only 'additive'"),
        ({"d_model": 7, "bidirectional": True}, "got units=7 and bidirectional=True"),
        ({"dropout_rate": 1.0}, "got dropout_rate=1.0, but it is the share"),
    ],
    ids=str,
)
def test_what_its_layers_refuse_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        made(**wrong)
