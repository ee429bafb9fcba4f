"""Promise 1: changing position t + 1 moves no output at or before t by one bit."""

import numpy as np
import pytest
from layer_cases import (
    B,
    D,
    F,
    N,
    S,
    T,
    V,
    numpy,
    parametrize,
    random_masks,
    same_draws,
    takes_vectors,
)

import keras_attention as ka
from keras_attention.testing import promises
from keras_attention.testing.promises import moved_positions

every_policy = pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
every_layer_that_must_not_look_ahead = parametrize(lambda case: not case.sees_future)
every_layer_that_may_look_ahead = parametrize(lambda case: case.sees_future)


def assert_no_leak(run, inputs, changed):
    for t, moved in enumerate(moved_positions(run, inputs, changed), start=1):
        assert not any(moved[:t]), f"a change at position {t} moved {moved}"
        assert any(moved[t:]), f"a change at position {t} moved nothing"


@every_layer_that_must_not_look_ahead
@every_policy
def test_a_layer_does_not_look_ahead(case, policy):
    promises.no_leak(case, dtype=policy)


@every_layer_that_must_not_look_ahead
@every_policy
def test_a_layer_does_not_look_ahead_in_training(case, policy):
    promises.no_leak(case, training=True, dtype=policy)


@parametrize(lambda case: not case.sees_future and takes_vectors(case))
def test_a_layer_does_not_look_ahead_through_a_mask(case):
    model, masks = case.masked_model(), random_masks(case)
    assert_no_leak(
        lambda inputs: numpy(model([inputs, masks])[0]),
        case.inputs(seed=0),
        case.inputs(seed=1),
    )


@parametrize(lambda case: not case.sees_future and takes_vectors(case))
def test_hiding_a_later_position_moves_nothing_before_it(case):
    model, inputs = case.masked_model(), case.inputs()
    masks = [np.ones(shape[:2], "bool") for shape in case.shapes]
    before = numpy(model([inputs, masks])[0])
    for t in range(1, T):
        masks[0] = np.arange(T) < np.full((B, 1), t)
        after = numpy(model([inputs, masks])[0])
        np.testing.assert_array_equal(after[:, :t], before[:, :t])


@every_layer_that_may_look_ahead
def test_a_layer_that_may_look_ahead_does(case):
    model = case.model()
    moved = moved_positions(
        lambda inputs: numpy(model(inputs)), case.inputs(seed=0), case.inputs(seed=1)
    )
    assert all(all(positions) for positions in moved)


def token_ids(seed, length):
    return np.random.default_rng(seed).integers(1, V, (B, length)).astype("int32")


def transformer(**options):
    sizes = {"num_layers": 1, "d_model": D, "num_heads": N, "d_ff": F}
    return ka.Transformer(V, V, **{**sizes, "dropout_rate": 0.4, **options})


@pytest.mark.parametrize("norm_first", [False, True], ids=["norm_last", "norm_first"])
@every_policy
def test_the_transformer_does_not_look_ahead(norm_first, policy):
    model = transformer(norm_first=norm_first, dtype=policy)
    source_ids = token_ids(2, S)
    source_ids[0, 4:] = 0

    def with_source(run):
        return lambda inputs: run({"source_ids": source_ids, "target_ids": inputs[0]})

    inputs, changed = [token_ids(0, T)], [token_ids(1, T)]
    assert_no_leak(with_source(lambda ids: numpy(model(ids))), inputs, changed)
    assert_no_leak(with_source(same_draws(model)), inputs, changed)


def test_the_transformer_does_not_see_that_the_target_goes_on():
    model = transformer(share_embeddings=True)
    source_ids, target_ids = token_ids(0, S), token_ids(1, T)
    whole = numpy(model({"source_ids": source_ids, "target_ids": target_ids}))
    for t in range(1, T):
        ids = np.where(np.arange(T) < t, target_ids, 0)
        padded = numpy(model({"source_ids": source_ids, "target_ids": ids}))
        np.testing.assert_array_equal(padded[:, :t], whole[:, :t])
