"""True = may attend: masks pass on, and what they hide changes nothing elsewhere."""

import numpy as np
import pytest
from keras import ops
from layer_cases import (
    CASES,
    B,
    M,
    N,
    S,
    T,
    carry,
    every_layer_of_vectors,
    numpy,
    random_masks,
)

import keras_attention as ka
from keras_attention.testing.promises import lengthen, where_visible

DTYPES = ["float32", "float16", "bfloat16"]

attention_layers = pytest.mark.parametrize(
    "case",
    [
        CASES["MultiHeadSelfAttention"],
        CASES["MultiHeadSelfAttention, causal"],
        CASES["MultiHeadCrossAttention"],
    ],
    ids=["self", "causal", "cross"],
)
with_memory = pytest.mark.parametrize(
    "case",
    [case for case in CASES.values() if case.shapes[-1] == (B, S, M)],
    ids=[name for name, case in CASES.items() if case.shapes[-1] == (B, S, M)],
)


@every_layer_of_vectors
def test_the_mask_of_the_first_input_passes_on(case):
    masks = random_masks(case)
    _, passed = case.masked_model()([case.inputs(), masks])
    np.testing.assert_array_equal(numpy(passed), masks[0])


@pytest.mark.parametrize("name", ["TokenEmbedding", "TokenEmbedding, projecting"])
def test_an_embedding_marks_padding_and_nothing_else(name):
    case = CASES[name]
    (ids,), (mask,) = case.inputs(), random_masks(case)
    _, passed = case.masked_model()([[ids * mask], [np.ones_like(mask)]])
    np.testing.assert_array_equal(numpy(passed), mask)


@every_layer_of_vectors
def test_hidden_values_change_no_visible_output_by_one_bit(case):
    model, masks = case.masked_model(), random_masks(case)
    inputs, others = case.inputs(seed=0), case.inputs(seed=1)
    swapped = list(map(where_visible, masks, inputs, others))
    before, after = (numpy(model([x, masks])[0]) for x in (inputs, swapped))
    np.testing.assert_array_equal(after[masks[0]], before[masks[0]])
    # What a query asks for is never hidden, but of a recurrence not even this is read.
    if case.shapes[0] == case.shapes[-1] and not case.recurrent:
        assert not np.array_equal(after, before)


@with_memory
def test_a_hidden_memory_changes_no_output_at_all_by_one_bit(case):
    model, masks = case.masked_model(), random_masks(case)
    x, memory = case.inputs()
    hidden = np.where(masks[1][..., None], memory, -99.0).astype("float32")
    np.testing.assert_array_equal(
        numpy(model([[x, hidden], masks])[0]), numpy(model([[x, memory], masks])[0])
    )


@every_layer_of_vectors
def test_padding_further_changes_nothing_before_it(case):
    model, inputs, masks = case.masked_model(), case.inputs(), random_masks(case)
    longer = [lengthen(x, value=9) for x in inputs]
    longer_masks = [lengthen(mask, value=False) for mask in masks]
    short, long = model([inputs, masks])[0], model([longer, longer_masks])[0]
    np.testing.assert_allclose(
        numpy(long)[:, :T][masks[0]], numpy(short)[masks[0]], atol=1e-6
    )


def mask_of_rank(rank, padding_mask, queries):
    """The same padding mask (B, S), as said for each query, or for each head."""
    if rank == 3:
        return np.repeat(padding_mask[:, None, :], queries, axis=1)
    if rank == 4:
        return np.tile(padding_mask[:, None, None, :], (1, N, queries, 1))
    return padding_mask


def attend(case, layer, inputs, mask, **kwargs):
    """Call an attention layer with a mask over its keys, of any rank."""
    name = "mask" if len(case.shapes) == 1 else "memory_mask"
    return layer(*inputs, **{name: mask}, **kwargs)


@attention_layers
def test_masks_of_two_three_and_four_axes_agree(case):
    layer, inputs, padding_mask = case.make(), case.inputs(), random_masks(case)[-1]
    two, three, four = (
        numpy(attend(case, layer, inputs, mask_of_rank(rank, padding_mask, T)))
        for rank in (2, 3, 4)
    )
    np.testing.assert_array_equal(three, two)
    np.testing.assert_array_equal(four, two)
    assert not np.array_equal(numpy(layer(*inputs)), two)


@attention_layers
def test_a_mask_for_all_heads_at_once_is_that_for_each(case):
    layer, inputs, padding_mask = case.make(), case.inputs(), random_masks(case)[-1]
    each = mask_of_rank(4, padding_mask, T)
    np.testing.assert_array_equal(
        numpy(attend(case, layer, inputs, each[:, :1])),
        numpy(attend(case, layer, inputs, each)),
    )


@attention_layers
def test_a_mask_for_each_query_hides_a_key_from_that_query_alone(case):
    layer, inputs = case.make(), case.inputs()
    mask = np.ones((B, T, case.shapes[-1][1]), "bool")
    mask[:, 3, 1] = False
    everything, most = numpy(layer(*inputs)), numpy(attend(case, layer, inputs, mask))
    changed = np.any(everything != most, axis=(0, 2))
    assert changed.tolist() == [query == 3 for query in range(T)]


@attention_layers
def test_an_attached_mask_is_the_same_as_a_given_one(case):
    layer, inputs, masks = case.make(), case.inputs(), random_masks(case)
    given = attend(case, layer, inputs, masks[-1])
    attached = layer(*map(carry, map(ops.convert_to_tensor, inputs), masks))
    np.testing.assert_array_equal(numpy(attached), numpy(given))


@attention_layers
@pytest.mark.parametrize("shape", [(B,), (B, 1, N, T, T)], ids=["one", "five"])
def test_a_mask_with_another_number_of_axes_is_refused(case, shape):
    layer, inputs = case.make(name="looks"), case.inputs()
    layer(*inputs)
    message = rf"looks: got a mask of shape \({', '.join(map(str, shape))},?\)"
    with pytest.raises(ValueError, match=message):
        attend(case, layer, inputs, np.ones(shape, "bool"))


@attention_layers
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", [2, 3, 4])
def test_attention_to_nothing_gives_zeros(case, dtype, rank):
    layer, inputs = case.make(dtype=dtype), case.inputs()
    padding_mask = np.ones((B, case.shapes[-1][1]), "bool")
    padding_mask[1] = False
    mask = mask_of_rank(rank, padding_mask, T)
    context, weights = attend(case, layer, inputs, mask, return_attention_scores=True)
    assert not numpy(context)[1].any()
    assert not numpy(weights)[1].any()
    assert np.isfinite(numpy(context)).all()
    assert numpy(context)[0].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_step_that_may_see_nothing_gives_zeros(dtype):
    layer = ka.MultiHeadCrossAttention(N, dtype=dtype)
    x, memory = CASES["MultiHeadCrossAttention"].inputs()
    layer(x, memory)
    mask = np.ones((B, S), "bool")
    mask[1] = False
    cache = layer.memory_cache(ops.convert_to_tensor(memory, dtype=dtype), mask)
    attended, _ = layer.step(ops.convert_to_tensor(x[:, 0], dtype=dtype), cache)
    attended = numpy(attended)
    assert not attended[1].any()
    assert np.isfinite(attended).all() and attended[0].any()


@every_layer_of_vectors
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sentence_of_nothing_but_padding_stays_finite(case, dtype):
    masks = random_masks(case)
    for mask in masks:
        mask[1] = False
    outputs, _ = case.masked_model(dtype=dtype)([case.inputs(), masks])
    assert outputs.shape[:2] == (B, T)
    assert np.isfinite(numpy(outputs)).all()
