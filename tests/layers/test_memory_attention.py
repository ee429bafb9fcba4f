"""What holds for attention with one head, however it scores."""

import numpy as np
import pytest
from keras import ops
from recurrent_references import (
    additive_score,
    memory_attention,
    multiplicative_score,
)
from references import numpy, padding_masks, vectors

import keras_attention as ka

B, T, S, D, M, A, K = 2, 5, 7, 12, 8, 11, 4

LAYERS = {
    "additive": (lambda **kwargs: ka.AdditiveAttention(A, **kwargs), additive_score),
    "multiplicative": (ka.MultiplicativeAttention, multiplicative_score),
}
both = pytest.mark.parametrize("make, score", LAYERS.values(), ids=LAYERS)


def inputs(rows=B):
    return vectors(rows, T, D), vectors(B, S, M, seed=1)


@both
@pytest.mark.parametrize("rank", [2, 4])
def test_it_is_the_equation_of_the_paper(make, score, rank):
    layer, (x, memory) = make(), inputs()
    visible = np.repeat(padding_masks(B, S)[:, None], T, axis=1)  # (B, T, S)
    if rank > 2:
        visible[1, 2] = False  # a query that may see nothing
    mask = {2: visible[:, 0], 4: visible[:, None]}[rank]
    context, weights = layer(x, memory, memory_mask=mask, return_attention_scores=True)
    assert tuple(weights.shape) == (B, 1, T, S)
    for b in range(B):
        expected = memory_attention(score(layer), x[b], memory[b], visible[b])
        np.testing.assert_allclose(numpy(context)[b], expected[0], atol=1e-5)
        np.testing.assert_allclose(numpy(weights)[b, 0], expected[1], atol=1e-6)


@both
def test_what_is_not_asked_for_is_not_returned(make, score):
    layer, (x, memory) = make(), inputs()
    context, _ = layer(x, memory, return_attention_scores=True)
    np.testing.assert_array_equal(numpy(layer(x, memory)), numpy(context))


@both
def test_attention_to_nothing_gives_zeros(make, score):
    layer, (x, memory), mask = make(dtype="float16"), inputs(), padding_masks(B, S)
    mask[1] = False
    context, weights = map(
        numpy, layer(x, memory, memory_mask=mask, return_attention_scores=True)
    )
    assert not context[1].any() and not weights[1].any()
    assert context[0].any() and np.isfinite(context).all()


@both
def test_step_by_step_is_the_same_as_all_at_once_for_several_hypotheses(make, score):
    layer, memory, mask = make(), vectors(B, S, M, seed=1), padding_masks(B, S)
    x = vectors(B * K, 1, D)  # K hypotheses of each sentence, side by side
    expected, maps = layer(
        x,
        np.repeat(memory, K, axis=0),
        memory_mask=np.repeat(mask, K, axis=0),
        return_attention_scores=True,
    )
    cache = layer.memory_cache(ops.convert_to_tensor(memory), mask)
    context, weights = layer.step(ops.convert_to_tensor(x[:, 0]), cache)
    np.testing.assert_allclose(numpy(context), numpy(expected)[:, 0], atol=1e-5)
    np.testing.assert_allclose(numpy(weights), numpy(maps)[:, :, 0], atol=1e-6)


@both
def test_a_step_computes_nothing_of_the_memory_anew(make, score):
    layer, (x, memory) = make(), map(ops.convert_to_tensor, inputs())
    layer(x, memory)
    cache = layer.memory_cache(memory)
    before, _ = layer.step(x[:, 0], cache)
    layer.key.kernel.assign(5 * layer.key.kernel)
    after, _ = layer.step(x[:, 0], cache)
    np.testing.assert_array_equal(numpy(after), numpy(before))
    assert not np.allclose(numpy(layer(x, memory))[:, 0], numpy(before))


@both
def test_a_memory_permuted_with_its_mask_changes_nothing(make, score):
    layer, (x, memory), mask = make(), inputs(), padding_masks(B, S)
    order = np.random.default_rng(0).permutation(S)
    permuted = layer(x, memory[:, order], memory_mask=mask[:, order])
    expected = layer(x, memory, memory_mask=mask)
    np.testing.assert_allclose(numpy(permuted), numpy(expected), atol=1e-6)


@both
def test_inputs_with_another_number_of_axes_are_refused(make, score):
    message = r"looks: got memory of shape \(2, 7\), but 3 axes are needed"
    with pytest.raises(ValueError, match=message):
        make(name="looks").build((B, T, D), (B, S))
