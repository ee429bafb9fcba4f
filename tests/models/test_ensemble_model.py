"""An ensemble says what its members say on average, and goes where they go."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.decoding.ensemble import ensemble
from keras_attention.models.ensemble_model import Ensemble, mean_log_probs
from keras_attention.special_tokens import PAD, START

SOURCE_V, TARGET_V = 11, 13
SOURCE_IDS = np.array([[5, 6, 7, 3, 0], [8, 3, 0, 0, 0], [4, 4, 9, 10, 3]], "int32")
TARGET_IDS = np.array([[2, 5, 12, 4], [2, 7, 0, 0], [2, 6, 6, 0]], "int32")
BATCH = {"source_ids": SOURCE_IDS, "target_ids": TARGET_IDS}
SIZES = {"num_layers": 1, "d_model": 12, "num_heads": 3, "d_ff": 20}


def made_members():
    """Models that differ in size, kind and weights, over the same vocabularies."""
    keras.utils.set_random_seed(1)
    return [
        ka.Transformer(SOURCE_V, TARGET_V, **SIZES),
        ka.Transformer(SOURCE_V, TARGET_V, **{**SIZES, "num_layers": 2}),
        ka.RecurrentSeq2Seq(
            SOURCE_V, TARGET_V, num_layers=1, d_model=8, attention="additive"
        ),
    ]


@pytest.fixture(scope="module")
def members():
    members = made_members()
    for one in members:
        for weight in one.trainable_weights:
            weight.assign(3 * weight)
    return members


numpy = ops.convert_to_numpy


def softmax(logits):
    logits = ops.convert_to_numpy(ops.cast(logits, "float32")).astype("float64")
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def test_probabilities_are_the_mean_of_the_members(members):
    found = ops.convert_to_numpy(Ensemble(members)(BATCH))
    expected = np.mean([softmax(one.forbid(one(BATCH))) for one in members], axis=0)
    assert found.shape == (3, 4, TARGET_V) and found.dtype == "float32"
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-5, atol=1e-7)
    assert (found[..., [PAD, START]] < -1e4).all()


def test_what_one_member_never_proposes_the_ensemble_does_not():
    shy = ka.Transformer(SOURCE_V, TARGET_V, **SIZES, forbidden_tokens=(0, 2, 7))
    both = Ensemble([ka.Transformer(SOURCE_V, TARGET_V, **SIZES), shy])
    assert np.flatnonzero(both.forbidden).tolist() == [0, 2, 7]
    assert both.config["forbidden_tokens"] == [0, 2, 7]


def test_cached_is_uncached(members):
    both = Ensemble(members)
    cache, memory = both.start(SOURCE_IDS, TARGET_IDS.shape[1])
    whole = ops.convert_to_numpy(both(BATCH))
    for index in range(2):  # as far as no target is over
        logits, cache, _ = both.step(TARGET_IDS[:, index], cache, index, memory)
        np.testing.assert_allclose(
            ops.convert_to_numpy(logits), whole[:, index], rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_search_finds_what_that_over_the_members_functions_finds(members, beam_size):
    options = {"max_length": 9, "beam_size": beam_size, "n_best": beam_size}
    started = [one.start_search(SOURCE_IDS, 9) for one in members]
    next_logits, start_ids, cache = ensemble(started)
    expected = ka.beam_search(next_logits, start_ids, cache=cache, **options)
    next_logits, start_ids, cache = Ensemble(members).start_search(SOURCE_IDS, 9)
    found = ka.beam_search(next_logits, start_ids, cache=cache, **options)
    assert numpy(found.ids).tolist() == numpy(expected.ids).tolist()
    np.testing.assert_allclose(numpy(found.scores), numpy(expected.scores), rtol=1e-5)
    alone = members[0].start_search(SOURCE_IDS, 9)
    own = ka.beam_search(alone[0], alone[1], cache=alone[2], **options)
    assert not np.allclose(numpy(own.scores), numpy(found.scores), rtol=1e-2)


def test_padding_changes_nothing(members):
    longer = {side: np.pad(ids, [(0, 0), (0, 3)]) for side, ids in BATCH.items()}
    np.testing.assert_allclose(
        numpy(Ensemble(members)(longer))[:, :4],
        numpy(Ensemble(members)(BATCH)),
        rtol=1e-4,
        atol=1e-4,
    )


def test_saved_and_loaded_it_says_the_same(members, tmp_path):
    both = Ensemble(members, name="both")
    both.save(tmp_path / "both.keras")
    loaded = keras.saving.load_model(tmp_path / "both.keras")
    assert loaded.get_config() == both.get_config() and loaded.name == "both"
    np.testing.assert_array_equal(numpy(loaded(BATCH)), numpy(both(BATCH)))


def test_members_of_one_name_are_kept_apart(tmp_path):
    """As models are that were trained in processes of their own."""
    twins = [ka.Transformer(SOURCE_V, TARGET_V, **SIZES, name="one") for _ in range(2)]
    Ensemble(twins).save(tmp_path / "both.keras")
    loaded = keras.saving.load_model(tmp_path / "both.keras")
    for twin, own in zip(loaded.members, twins, strict=True):
        np.testing.assert_array_equal(numpy(twin(BATCH)), numpy(own(BATCH)))
    first, second = (numpy(one(BATCH)) for one in loaded.members)
    assert not np.array_equal(first, second)


def test_it_learns_and_its_members_with_it():
    both = Ensemble(made_members()[:2])
    both.compile("adam", ka.MaskedCrossentropy(), jit_compile=False)
    before = [one.get_weights() for one in both.members]
    labels = np.array([[5, 12, 4, 3], [7, 3, 0, 0], [6, 6, 3, 0]])
    losses = both.fit(BATCH, labels, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for one, old in zip(both.members, before):
        assert any((new != was).any() for new, was in zip(one.get_weights(), old))


def test_half_precision_members_are_averaged_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    both = Ensemble(made_members()[:2])
    assert both.compute_dtype == "bfloat16"
    found = both(BATCH)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(np.exp(numpy(found)).sum(axis=-1), 1, atol=1e-3)


def test_its_maps_are_those_of_all_members_one_head_a_layer(members):
    both = Ensemble(members)
    maps = both.attention_maps(SOURCE_IDS, TARGET_IDS)
    assert {kind: len(layers) for kind, layers in maps.items()} == {
        "encoder": 3,
        "decoder": 3,
        "cross": 4,
    }
    assert both.cross_attention_shape == (4, 1)
    own = members[1].attention_maps(SOURCE_IDS, TARGET_IDS)["cross"][1]
    expected = ops.convert_to_numpy(own).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(numpy(maps["cross"][2]), expected, atol=1e-6)


def test_without_attention_it_says_so():
    blind = ka.RecurrentSeq2Seq(
        SOURCE_V, TARGET_V, num_layers=1, d_model=8, attention=None
    )
    both = Ensemble([blind, blind])
    assert both.cross_attention_shape == (0, 0)
    with pytest.raises(ValueError, match="got attention=None"):
        both.attention_maps(SOURCE_IDS, TARGET_IDS)
    seeing = Ensemble([blind, ka.Transformer(SOURCE_V, TARGET_V, **SIZES)])
    assert len(seeing.attention_maps(SOURCE_IDS, TARGET_IDS)["cross"]) == 1


def test_probabilities_too_small_for_float32_are_averaged():
    logits = ops.convert_to_tensor(np.array([[0.0, -200.0]], "float32"))
    found = np.asarray(mean_log_probs([logits, logits - 1000.0]))
    np.testing.assert_allclose(found, [[0.0, -200.0]], rtol=1e-6)


@pytest.mark.parametrize("num_members", [1, 2, 3])
def test_distributions_are_averaged(num_members):
    rng = np.random.default_rng(0)
    logits = [5 * rng.normal(size=(4, 7)) + 3 for _ in range(num_members)]
    logits[0][:, 2] = -np.inf
    for member in logits:
        member[:, 5] = -np.inf
    found = mean_log_probs([ops.convert_to_tensor(x.astype("float32")) for x in logits])
    expected = np.mean([softmax(member) for member in logits], axis=0)
    np.testing.assert_allclose(np.exp(np.asarray(found)), expected, rtol=1e-5)
    assert (np.asarray(found)[:, 5] == -np.inf).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_are_averaged_in_float32(dtype):
    rng = np.random.default_rng(0)
    logits = [ops.cast(rng.normal(size=(4, 11)), dtype) for seed in (0, 1)]
    found = mean_log_probs(logits)
    expected = np.log(np.mean([softmax(x) for x in logits], 0))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-5, atol=1e-5)


def test_no_members_are_refused():
    with pytest.raises(
        ValueError, match=r"Ensemble: got members=\[\], .*trained apart"
    ):
        Ensemble([])


def test_what_is_no_such_model_is_refused(members):
    with pytest.raises(TypeError, match="Ensemble: got a member of type Dense, .*Seq"):
        Ensemble([members[0], keras.layers.Dense(3)])


def test_other_vocabularies_are_refused(members):
    other = ka.Transformer(SOURCE_V, TARGET_V + 1, **SIZES)
    message = r"Ensemble: got members with target_vocab_size=\[13, 14\], but their tar"
    with pytest.raises(ValueError, match=message):
        Ensemble([members[0], other])
