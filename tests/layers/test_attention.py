import numpy as np
import pytest
from keras import ops
from references import attention, numpy, vectors

from keras_attention.layers.attention import (
    masked_softmax,
    merge_heads,
    scaled_dot_product_attention,
    split_heads,
)

B, N, T, S, H = 2, 3, 5, 7, 4


def queries_keys_values():
    shapes = (B, N, T, H), (B, N, S, H), (B, N, S, H)
    return [vectors(*shape, seed=seed) for seed, shape in enumerate(shapes)]


def test_splitting_gives_each_head_its_own_share_of_the_width():
    x = np.array([[[1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16]]])  # (1, 2, 6)
    assert ops.convert_to_numpy(split_heads(x, 3)).tolist() == [
        [[[1, 2], [11, 12]], [[3, 4], [13, 14]], [[5, 6], [15, 16]]]
    ]


def test_merging_undoes_splitting():
    x = vectors(B, T, N * H)
    np.testing.assert_array_equal(numpy(merge_heads(split_heads(x, N))), x)


def test_attention_is_equation_1():
    query, key, value = queries_keys_values()
    mask = np.random.default_rng(4).random((B, N, T, S)) < 0.6
    context, weights = scaled_dot_product_attention(query, key, value, mask)
    for b in range(B):
        for n in range(N):
            expected = attention(query[b, n], key[b, n], value[b, n], mask[b, n])
            np.testing.assert_allclose(numpy(context)[b, n], expected[0], atol=1e-5)
            np.testing.assert_allclose(numpy(weights)[b, n], expected[1], atol=1e-6)


def test_one_number_worked_out_by_hand():
    # Scores 0 and 2 ln 3 / sqrt(4) = ln 3, so the weights are 1/4 and 3/4.
    query = np.array([[[[2.0, 0, 0, 0]]]], "float32")
    key = np.array([[[[0.0, 5, 0, 0], [np.log(3), 0, 7, 0]]]], "float32")
    value = np.array([[[[4.0, 0, 0, 0], [8.0, 4, 0, 0]]]], "float32")
    context, weights = scaled_dot_product_attention(query, key, value)
    np.testing.assert_allclose(numpy(weights)[0, 0, 0], [0.25, 0.75], rtol=1e-6)
    np.testing.assert_allclose(numpy(context)[0, 0, 0], [7, 3, 0, 0], rtol=1e-6)


def test_keys_permuted_with_their_values_change_nothing():
    query, key, value = queries_keys_values()
    order = np.random.default_rng(0).permutation(S)
    expected, weights = scaled_dot_product_attention(query, key, value)
    context, permuted = scaled_dot_product_attention(
        query, key[:, :, order], value[:, :, order]
    )
    np.testing.assert_allclose(numpy(context), numpy(expected), atol=1e-6)
    np.testing.assert_allclose(numpy(permuted), numpy(weights)[..., order], atol=1e-6)


def test_the_context_never_leaves_the_range_of_the_values():
    query, key, value = queries_keys_values()
    context, _ = scaled_dot_product_attention(10 * query, key, value)
    highest = value.max(axis=2, keepdims=True) + 1e-5
    lowest = value.min(axis=2, keepdims=True) - 1e-5
    assert (lowest <= numpy(context)).all() and (numpy(context) <= highest).all()


def test_dropout_sees_the_weights_and_the_weights_returned_are_those_before_it():
    query, key, value = queries_keys_values()
    context, weights = scaled_dot_product_attention(
        query, key, value, dropout=lambda weights: 2 * weights
    )
    expected, _ = scaled_dot_product_attention(query, key, value)
    np.testing.assert_allclose(numpy(context), 2 * numpy(expected), rtol=1e-5)
    np.testing.assert_allclose(numpy(weights).sum(axis=-1), 1, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_softmax_is_computed_in_float32_whatever_the_dtype(dtype):
    scores = ops.cast(vectors(B, N, T, S), dtype)
    weights = masked_softmax(scores)
    assert ops.dtype(weights) == "float32"
    np.testing.assert_allclose(numpy(weights).sum(axis=-1), 1, rtol=1e-6)


def test_scores_of_any_size_give_weights_that_sum_to_one():
    scores = np.array([[[[-1e8, 0.0, 1e8], [1e8, 1e8, 1e8]]]], "float32")
    expected = [[0, 0, 1], [1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(numpy(masked_softmax(scores))[0, 0], expected, rtol=1e-6)


def test_a_hidden_score_gets_no_weight_however_high_it_is():
    scores = np.array([[[[1e30, 0.0, 0.0]]]], "float32")
    mask = np.array([[[[False, True, True]]]])
    assert numpy(masked_softmax(scores, mask)).tolist() == [[[[0, 0.5, 0.5]]]]


def test_a_query_that_may_see_nothing_gets_weights_of_zero():
    weights = masked_softmax(vectors(1, 1, 2, 3), np.array([[[[True], [False]]]]))
    np.testing.assert_allclose(numpy(weights).sum(axis=-1), [[[1, 0]]], rtol=1e-6)


def test_a_single_key_gets_all_the_weight():
    assert numpy(masked_softmax(vectors(1, 1, 2, 1))).tolist() == [[[[1], [1]]]]
