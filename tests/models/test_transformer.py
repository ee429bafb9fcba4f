import inspect
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.models.transformer import PRESETS

B, T, S, D, N, F, K = 2, 5, 7, 12, 3, 11, 4
SOURCE_V, TARGET_V = 17, 13
SIZES = {"num_layers": 2, "d_model": D, "num_heads": N, "d_ff": F}

BACKEND = keras.backend.backend()

# The variants that are saved, trained and searched with, by their arguments.
VARIANTS = {
    "two vocabularies": {},
    "shared": {"source_vocab_size": TARGET_V, "share_embeddings": True},
    "norm first": {"norm_first": True},
    "uneven, bfloat16": {"num_decoder_layers": 1, "dtype": "mixed_bfloat16"},
}
every_variant = pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)


def made(**options):
    vocabularies = {"source_vocab_size": SOURCE_V, "target_vocab_size": TARGET_V}
    return ka.Transformer(**{**vocabularies, **SIZES, **options})


def batch(seed=0, batch_size=B):
    """Ids (B, S) and (B, T) from 4 on, the last ones of sentence 0 PAD."""
    rng = np.random.default_rng(seed)
    source_ids = rng.integers(4, TARGET_V, (batch_size, S)).astype("int32")
    target_ids = rng.integers(4, TARGET_V, (batch_size, T)).astype("int32")
    target_ids[:, 0] = 2
    source_ids[0, 4:], target_ids[0, 3:] = 0, 0
    return {"source_ids": source_ids, "target_ids": target_ids}


def labels(seed=1, batch_size=B):
    targets = np.random.default_rng(seed).integers(4, TARGET_V, (batch_size, T))
    return (targets * (batch()["target_ids"][:1] != 0)).astype("int32")


def numpy(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


def expected_parameters(d_model, d_ff, layers, vocabularies):
    """Of the paper's equations: projections without bias, networks with one."""
    attention, norm = 4 * d_model**2, 2 * d_model
    feed_forward = 2 * d_model * d_ff + d_ff + d_model
    encoder_layer = attention + feed_forward + 2 * norm
    decoder_layer = 2 * attention + feed_forward + 3 * norm
    return layers * (encoder_layer + decoder_layer) + sum(vocabularies) * d_model


def test_the_inputs_have_names_and_the_output_a_logit_for_each_token():
    model = made()
    assert set(model.input) == {"source_ids", "target_ids"}
    assert model.input["source_ids"].shape == (None, None)
    assert model.output_shape == (None, None, TARGET_V)
    assert tuple(model(batch()).shape) == (B, T, TARGET_V)
    assert isinstance(model, keras.Model)


def test_the_order_of_the_inputs_does_not_matter():
    model, inputs = made(), batch()
    expected = numpy(model(inputs))
    reverse = dict(reversed(inputs.items()))
    np.testing.assert_array_equal(numpy(model(reverse)), expected)
    tensors = {name: ops.convert_to_tensor(ids) for name, ids in reverse.items()}
    np.testing.assert_array_equal(numpy(model(tensors)), expected)
    lists = {name: ids.tolist() for name, ids in inputs.items()}
    np.testing.assert_array_equal(numpy(model(lists)), expected)
    predicted = model.predict(reverse, verbose=0)
    np.testing.assert_allclose(predicted, expected, atol=1e-5)


@pytest.mark.parametrize("options", [{}, VARIANTS["shared"]], ids=["two", "shared"])
def test_every_layer_follows_the_dtype(options):
    model = made(**options, norm_first=True, dtype="mixed_bfloat16")
    others = [
        layer.name
        for layer in model.layers
        if layer.dtype_policy.name != "mixed_bfloat16"
        and not isinstance(layer, keras.layers.InputLayer)
    ]
    assert not others
    assert keras.backend.standardize_dtype(model(batch()).dtype) == "bfloat16"
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}


def test_a_missing_input_is_named():
    with pytest.raises(ValueError, match='"target_ids"'):
        made()({"source_ids": batch()["source_ids"]})


def test_an_input_too_many_is_named():
    with pytest.raises(ValueError, match="weights.*source_ids.*target_ids"):
        made()({**batch(), "weights": batch()["target_ids"]})


@pytest.mark.parametrize(
    "side, wrong",
    [("source_ids", SOURCE_V), ("target_ids", TARGET_V), ("target_ids", -1)],
)
def test_an_id_outside_of_its_vocabulary_is_refused(side, wrong):
    inputs = batch()
    inputs[side][1, 2] = wrong
    size = SOURCE_V if side == "source_ids" else TARGET_V
    message = (
        rf"transformer, {side}: got the id {wrong} \(1 of \d+ ids are outside\), but "
        rf"vocab_size={size} has ids from 0 to {size - 1}"
    )
    with pytest.raises(ValueError, match=message):
        made()(inputs)


def test_ids_that_are_no_integers_are_refused():
    inputs = {name: ids.astype("float32") for name, ids in batch().items()}
    with pytest.raises(TypeError, match="source_ids: got ids of dtype float32"):
        made()(inputs)


@every_variant
def test_padding_further_changes_nothing_before_it(options):
    model, inputs = made(**options), batch()
    longer = {name: np.pad(ids, ((0, 0), (0, 4))) for name, ids in inputs.items()}
    real = inputs["target_ids"] != 0
    tolerance = 1e-5 if model.dtype_policy.compute_dtype == "float32" else 0.1
    np.testing.assert_allclose(
        numpy(model(longer))[:, :T][real], numpy(model(inputs))[real], atol=tolerance
    )


def test_a_sentence_alone_is_the_same_as_among_others():
    model, inputs = made(), batch()
    together = numpy(model(inputs))
    alone = {"source_ids": inputs["source_ids"][:1, :4]}
    alone["target_ids"] = inputs["target_ids"][:1, :3]
    np.testing.assert_allclose(numpy(model(alone))[0], together[0, :3], atol=1e-5)


def test_one_token_is_enough():
    one = {"source_ids": np.array([[5]]), "target_ids": np.array([[2]])}
    assert np.isfinite(numpy(made()(one))).all()


@every_variant
def test_a_sentence_of_nothing_but_padding_leaves_loss_and_weights_finite(options):
    model, inputs, targets = made(**options, num_layers=1), batch(), labels()
    inputs["source_ids"][1], inputs["target_ids"][1], targets[1] = 0, 0, 0
    compiled_for_a_step(model)
    assert np.isfinite(float(model.train_on_batch(inputs, targets)[0]))
    assert all(np.isfinite(numpy(weight)).all() for weight in model.weights)


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_number_of_parameters_is_that_of_the_equations(norm_first):
    expected = expected_parameters(D, F, 2, [SOURCE_V, TARGET_V])
    expected += 2 * 2 * D if norm_first else 0  # the norms that end the stacks
    assert parameters(made(norm_first=norm_first)) == expected


def test_shared_embeddings_are_one_matrix():
    model = made(**VARIANTS["shared"])
    assert parameters(model) == expected_parameters(D, F, 2, [TARGET_V])
    embeddings = [w for w in model.trainable_variables if "embedding" in w.path]
    assert [tuple(weight.shape) for weight in embeddings] == [(TARGET_V, D)]


def test_separate_embeddings_are_two_matrices():
    model = made()
    embeddings = [w for w in model.trainable_variables if "embedding" in w.path]
    shapes = {tuple(weight.shape) for weight in embeddings}
    assert shapes == {(SOURCE_V, D), (TARGET_V, D)} and len(embeddings) == 2


@pytest.mark.parametrize("preset, paper", [("base", 65e6), ("big", 213e6)])
def test_the_presets_have_as_many_parameters_as_in_the_paper(preset, paper):
    sizes = PRESETS[preset]
    count = expected_parameters(
        sizes["d_model"], sizes["d_ff"], sizes["num_layers"], [37_000]
    )
    # The paper says "about 37000 tokens", and rounds to millions.
    assert count == pytest.approx(paper, rel=0.031)


def test_a_preset_builds_a_model_of_as_many_parameters():
    model = ka.Transformer.from_preset("base", vocab_size=101, num_layers=1)
    assert parameters(model) == expected_parameters(512, 2048, 1, [101])


def test_the_presets_have_the_sizes_of_the_papers():
    parameters = inspect.signature(ka.Transformer).parameters.values()
    default = {parameter.name: parameter.default for parameter in parameters}
    sizes = ("num_layers", "d_model", "num_heads", "d_ff", "dropout_rate")
    actual = {
        preset: [{**default, **PRESETS[preset]}[name] for name in sizes]
        for preset in PRESETS
    }
    assert actual == {
        "tiny": [4, 128, 4, 256, 0.1],
        "base": [6, 512, 8, 2048, 0.1],
        "big": [6, 1024, 16, 4096, 0.3],
    }


def test_a_preset_shares_one_vocabulary_or_takes_two():
    shared = ka.Transformer.from_preset("tiny", vocab_size=11, num_layers=1)
    assert shared.config["share_embeddings"] and shared.output_shape[-1] == 11
    two = ka.Transformer.from_preset(
        "tiny", source_vocab_size=11, target_vocab_size=13, num_layers=1
    )
    assert not two.config["share_embeddings"] and two.output_shape[-1] == 13


def test_arguments_override_a_preset():
    model = ka.Transformer.from_preset("tiny", vocab_size=11, num_layers=1, d_ff=7)
    assert model.config["d_ff"] == 7 and model.config["num_layers"] == 1


@pytest.mark.parametrize("name", ["num_layers", "d_model", "num_heads", "d_ff"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_size_below_one_is_refused(name, value):
    with pytest.raises(ValueError, match=f"Transformer: got {name}={value}, but there"):
        made(**{name: value})


@pytest.mark.parametrize(
    "name", ["source_vocab_size", "target_vocab_size", "num_decoder_layers"]
)
def test_an_empty_vocabulary_or_stack_is_refused(name):
    with pytest.raises(ValueError, match=f"Transformer: got {name}=0, but there must"):
        made(**{name: 0})


@pytest.mark.parametrize(
    "name", ["num_layers", "d_model", "num_heads", "d_ff", "target_vocab_size"]
)
def test_a_size_that_is_no_integer_is_refused(name):
    with pytest.raises(TypeError, match=rf"Transformer: got {name}=2.5 \(float\)"):
        made(**{name: 2.5})


@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_a_rate_outside_of_its_range_is_refused(value):
    with pytest.raises(ValueError, match=f"Transformer: got dropout_rate={value}, but"):
        made(dropout_rate=value)


def test_heads_that_do_not_divide_the_width_are_refused():
    message = "Transformer: got d_model=12 and num_heads=5.*num_heads that divides 12"
    with pytest.raises(ValueError, match=message):
        made(num_heads=5)


def test_one_matrix_for_two_vocabularies_is_refused():
    message = (
        "share_embeddings=True with source_vocab_size=17 and target_vocab_size=13, but "
        "one matrix serves one vocabulary"
    )
    with pytest.raises(ValueError, match=message):
        made(share_embeddings=True)


@pytest.mark.parametrize("token", [-1, 13])
def test_a_forbidden_token_outside_of_the_vocabulary_is_refused(token):
    message = rf"forbidden_tokens=\[0, {token}\] and target_vocab_size=13.*from 0 to 12"
    with pytest.raises(ValueError, match=message):
        made(forbidden_tokens=(0, token))


def test_an_unknown_preset_is_refused_and_the_known_ones_named():
    message = "got preset='huge', but there are only 'tiny', 'base', 'big'"
    with pytest.raises(ValueError, match=message):
        ka.Transformer.from_preset("huge", vocab_size=11)


def test_a_preset_without_a_vocabulary_is_refused():
    with pytest.raises(TypeError, match="source_vocab_size"):
        ka.Transformer.from_preset("tiny")


def layer_names(options):
    encoder = [f"encoder_layer_{index}" for index in range(2)]
    num_decoder_layers = options.get("num_decoder_layers", 2)
    return encoder + [f"decoder_layer_{index}" for index in range(num_decoder_layers)]


@every_variant
def test_the_summary_shows_every_layer_by_name(options):
    lines = []
    made(**options).summary(
        print_fn=lambda line, **_: lines.append(line), line_length=99
    )
    summary = "\n".join(lines)
    assert all(name in summary for name in layer_names(options))


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz's dot")
def test_the_plot_shows_every_layer_by_name(tmp_path):
    keras.utils.plot_model(made(), tmp_path / "model.dot", show_layer_names=True)
    plot = (tmp_path / "model.dot").read_text()
    assert all(name in plot for name in layer_names({}))


def test_the_layers_can_be_had_by_name():
    model = made()
    assert isinstance(model.get_layer("encoder_layer_1"), ka.EncoderLayer)
    assert isinstance(model.get_layer("decoder_layer_1"), ka.DecoderLayer)
    assert isinstance(model.get_layer("source_embedding"), ka.TokenEmbedding)


@every_variant
def test_encoding_gives_the_memory_that_the_decoder_sees(options):
    model, inputs = made(**options), batch()
    last = "encoder_norm" if options.get("norm_first") else "encoder_layer_1"
    inside = keras.Model(model.input, model.get_layer(last).output)
    memory = model.encode(inputs["source_ids"])
    assert tuple(memory.shape) == (B, S, D)
    np.testing.assert_array_equal(numpy(memory), numpy(inside(inputs)))


@every_variant
def test_the_attention_maps_show_every_head_of_every_layer(options):
    model, inputs = made(**options), batch()
    maps = model.attention_maps(inputs["source_ids"], inputs["target_ids"])
    num_decoder_layers = options.get("num_decoder_layers", 2)
    shapes = {
        kind: [tuple(weights.shape) for weights in layers]
        for kind, layers in maps.items()
    }
    assert shapes == {
        "encoder": 2 * [(B, N, S, S)],
        "decoder": num_decoder_layers * [(B, N, T, T)],
        "cross": num_decoder_layers * [(B, N, T, S)],
    }
    tolerance = 1e-5 if model.dtype_policy.compute_dtype == "float32" else 0.02
    for weights in sum(maps.values(), []):
        np.testing.assert_allclose(numpy(weights).sum(axis=-1), 1, atol=tolerance)


def test_the_attention_maps_hide_padding_and_the_future():
    model, inputs = made(), batch()
    maps = model.attention_maps(inputs["source_ids"], inputs["target_ids"])
    for weights in maps["encoder"] + maps["cross"]:
        assert not numpy(weights)[0, ..., 4:].any()
    for weights in maps["decoder"]:
        assert not np.triu(numpy(weights), 1).any()
        assert not numpy(weights)[0, ..., 3:].any()


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_attention_maps_are_those_of_the_layers_in_the_model(norm_first):
    model, inputs = made(norm_first=norm_first), batch()
    maps = model.attention_maps(inputs["source_ids"], inputs["target_ids"])
    first, second = (model.get_layer(f"encoder_layer_{index}") for index in (0, 1))
    x = keras.Model(model.input, first.output)(inputs)
    _, expected = second.attend(x, inputs["source_ids"] != 0)
    np.testing.assert_allclose(
        numpy(maps["encoder"][1]), numpy(expected), rtol=1e-5, atol=1e-6
    )
    assert not np.allclose(numpy(maps["encoder"][0]), numpy(maps["encoder"][1]))
    np.testing.assert_array_equal(numpy(first(first_input(model, inputs))), numpy(x))


def first_input(model, inputs):
    """What the first encoder layer sees, with its mask."""
    embedded = model.get_layer("source_embedding")(inputs["source_ids"])
    return model.get_layer("source_position")(embedded)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("room", [T + 2, None])
def test_step_by_step_is_the_same_as_all_at_once_for_several_hypotheses(
    norm_first, room
):
    model = made(norm_first=norm_first)
    source_ids = batch()["source_ids"]
    rng = np.random.default_rng(3)  # K hypotheses of each sentence, side by side
    target_ids = rng.integers(4, TARGET_V, (B * K, T)).astype("int32")
    repeated = np.repeat(source_ids, K, axis=0)
    all_at_once = numpy(model({"source_ids": repeated, "target_ids": target_ids}))
    cross = model.attention_maps(repeated, target_ids)["cross"]
    cache, memory_cache = model.start(source_ids, max_length=room)
    cache = keras.tree.map_structure(lambda leaf: ops.repeat(leaf, K, axis=0), cache)
    for t in range(T):
        token_ids = ops.convert_to_tensor(target_ids[:, t])
        logits, cache, maps = model.step(token_ids, cache, t, memory_cache)
        assert tuple(logits.shape) == (B * K, TARGET_V)
        expected = [numpy(one)[:, :, t] for one in cross]
        np.testing.assert_allclose([numpy(one) for one in maps], expected, atol=1e-5)
        np.testing.assert_allclose(numpy(logits), all_at_once[:, t], atol=1e-5)


def test_a_search_starts_at_the_start_and_never_proposes_padding_or_start():
    model = made()
    source_ids = batch()["source_ids"]
    next_logits, start_ids, cache = model.start_search(source_ids, max_length=T)
    assert ops.convert_to_numpy(start_ids).tolist() == [2, 2]
    ids = ops.convert_to_tensor(np.full((B, T), 2, "int32"))
    logits, _ = next_logits(ids, 0, cache)
    forbidden = numpy(logits) < -1e4
    assert forbidden.tolist() == B * [[v in (0, 2) for v in range(TARGET_V)]]


def test_other_tokens_may_be_forbidden():
    model = made(forbidden_tokens=(0, 5))
    assert np.flatnonzero(model.forbidden).tolist() == [0, 5]


def test_a_config_of_before_there_were_departures_makes_the_same_model():
    config = made().get_config()
    for name in (
        "activation",
        "interleaved_positions",
        "scale_embeddings",
        "output_bias",
        "forbidden_tokens",
    ):
        del config[name]
    assert ka.Transformer.from_config(config).get_config() == made().get_config()


@every_variant
def test_the_config_makes_the_same_config(options):
    model = made(**options, name="mine")
    copy = ka.Transformer.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    assert [w.path for w in copy.weights] == [w.path for w in model.weights]
    for name, value in options.items():
        if name != "dtype":
            assert copy.config[name] == value
    assert copy.dtype_policy.name == model.dtype_policy.name


def test_a_clone_computes_the_same_with_the_same_weights():
    model = made()
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(numpy(clone(batch())), numpy(model(batch())))


PROGRAM = """
import pathlib, sys
import keras, numpy as np
import keras_attention as ka
for folder in map(pathlib.Path, sys.argv[1:]):
    model = keras.models.load_model(folder / "model.keras")
    assert isinstance(model, ka.Transformer), type(model)
    inputs = dict(np.load(folder / "inputs.npz"))
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(model(inputs), "float32"))
    weights = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    np.savez(folder / "loaded.npz", outputs, *weights)
"""


def test_a_saved_model_is_the_same_here_and_in_a_fresh_process(tmp_path):
    expected = {}
    for number, (name, options) in enumerate(VARIANTS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        model = made(**options)
        model.save(folder / "model.keras")
        np.savez(folder / "inputs.npz", **batch())
        expected[name] = folder, [numpy(x) for x in (model(batch()), *model.weights)]
        loaded = keras.models.load_model(folder / "model.keras")
        assert loaded.get_config() == model.get_config()
        np.testing.assert_array_equal(numpy(loaded(batch())), expected[name][1][0])
    root = pathlib.Path(__file__).parents[2]
    folders = [str(folder) for folder, _ in expected.values()]
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *folders],
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
    )
    for name, (folder, arrays) in expected.items():
        loaded = list(np.load(folder / "loaded.npz").values())
        assert len(loaded) == len(arrays), name
        for new, old in zip(loaded, arrays):
            np.testing.assert_array_equal(new, old, err_msg=name)


def test_a_loaded_model_goes_on_training_where_it_was(tmp_path):
    model = compiled(made(dropout_rate=0.0, num_layers=1))
    model.train_on_batch(batch(), labels())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer.get_config()["learning_rate"], dict)
    for one in (model, loaded):
        one.train_on_batch(batch(2), labels(3))
    for new, old in zip(loaded.weights, model.weights):
        np.testing.assert_allclose(numpy(new), numpy(old), rtol=1e-6, atol=1e-7)


def test_saved_weights_load_into_a_new_model(tmp_path):
    model, other = made(), made()
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(numpy(other(batch())), numpy(model(batch())))


def compiled(model, **options):
    model.compile(
        keras.optimizers.Adam(ka.WarmupSchedule(D, warmup_steps=20), 0.9, 0.98, 1e-9),
        ka.MaskedCrossentropy(0.1),
        metrics=[ka.MaskedAccuracy(), ka.Perplexity()],
        **{"jit_compile": BACKEND == "jax", **options},
    )
    return model


def compiled_for_a_step(model):
    """As `compiled`, but eager: a single step costs less than its graph."""
    return compiled(model, run_eagerly=True, jit_compile=False)


def test_every_weight_learns():
    model = compiled_for_a_step(made())
    before = [numpy(weight) for weight in model.trainable_variables]
    model.train_on_batch(batch(), labels())
    unmoved = [
        weight.path
        for weight, old in zip(model.trainable_variables, before)
        if np.array_equal(numpy(weight), old)
    ]
    assert not unmoved


def test_plain_fit_runs_with_validation_and_callbacks_and_the_loss_goes_down(tmp_path):
    model = compiled(made(dropout_rate=0.0, num_layers=1))
    inputs, targets = batch(batch_size=8), labels(batch_size=8)
    callbacks = [
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        keras.callbacks.EarlyStopping("val_loss", patience=99),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True),
    ]
    history = model.fit(
        inputs,
        targets,
        batch_size=4,
        epochs=6,
        verbose=0,
        validation_data=(inputs, targets),
        callbacks=callbacks,
    ).history
    names = {"loss", "accuracy", "perplexity"}
    assert set(history) == names | {f"val_{name}" for name in names}
    assert history["loss"][-1] < history["loss"][0]
    assert history["val_perplexity"][-1] < history["val_perplexity"][0]
    best = keras.models.load_model(tmp_path / "best.keras")
    evaluated = best.evaluate(inputs, targets, verbose=0, return_dict=True)
    assert evaluated["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-5)


def test_a_float16_model_scales_its_loss():
    model = compiled(made(dtype="mixed_float16"))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.tensorflow
def test_tensorboard_may_watch(tmp_path):
    model = compiled(made(num_layers=1))
    watch = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1)
    model.fit(batch(), labels(), verbose=0, callbacks=[watch])
    assert list(tmp_path.rglob("events.out.tfevents.*"))


@pytest.mark.tensorflow
def test_the_first_training_step_is_traced_once(monkeypatch):
    """Variables that the optimizer makes meanwhile would have it traced again."""
    traced = []

    def train_step(self, data):
        traced.append(data)
        return keras.Model.train_step(self, data)

    monkeypatch.setattr(ka.Transformer, "train_step", train_step)
    model = made()
    model.compile("adam", ka.MaskedCrossentropy(0.1), jit_compile=False)
    model.fit(batch(), labels(), batch_size=B, epochs=3, verbose=0)
    assert len(traced) == 1
