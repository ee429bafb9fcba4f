"""Each token is guessed from those before it, at once or one after the other."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.models.language_model import LanguageModel
from keras_attention.special_tokens import END, PAD, START

B, T, V = 2, 7, 13
SIZES = {"num_layers": 2, "d_model": 12, "num_heads": 3, "d_ff": 20}
PROMPTS = np.array([[5, 6, 7], [8, PAD, PAD]], "int32")
MAX_LENGTH = 8


def make(**settings):
    return LanguageModel(V, **{**SIZES, "max_length": 16, **settings})


def wild(**settings):
    """A model whose texts differ, and the same on every backend."""
    gpt, random = make(**settings), np.random.default_rng(0)
    for weight in gpt.trainable_weights:
        if len(weight.shape) == 2:
            weight.assign(random.normal(size=weight.shape))
    return gpt


@pytest.fixture(scope="module", params=[False, True], ids=["norm_last", "norm_first"])
def gpt(request):
    return wild(norm_first=request.param)


def numpy(x):
    return ops.convert_to_numpy(x)


def token_ids(seed=0, length=T):
    return np.random.default_rng(seed).integers(4, V, (B, length)).astype("int32")


def test_a_token_moves_no_logits_before_it(gpt):
    ids, others = token_ids(0), token_ids(1)
    before = numpy(gpt(ids))
    for t in range(1, T):
        after = numpy(gpt(np.concatenate([ids[:, :t], others[:, t:]], axis=1)))
        np.testing.assert_array_equal(after[:, :t], before[:, :t])
        assert not np.array_equal(after[:, t:], before[:, t:])


def test_padding_changes_nothing_before_it(gpt):
    longer = np.pad(token_ids(), ((0, 0), (0, 3)))
    np.testing.assert_allclose(
        numpy(gpt(longer))[:, :T], numpy(gpt(token_ids())), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("max_length", [MAX_LENGTH, None], ids=["fixed", "growing"])
def test_token_by_token_is_the_same_as_all_at_once(gpt, max_length):
    ids = token_ids()
    cache = gpt.start(B, max_length)
    for index, expected in enumerate(numpy(gpt(ids)).swapaxes(0, 1)):
        logits, cache = gpt.step(ops.convert_to_tensor(ids[:, index]), cache, index)
        np.testing.assert_allclose(numpy(logits), expected, atol=2e-5)


@pytest.mark.parametrize("norm_first", [False, True])
def test_it_is_embeddings_causal_layers_and_the_embeddings_again(norm_first):
    gpt, ids = make(norm_first=norm_first), token_ids()
    table, positions = numpy(gpt.embedding.embeddings), numpy(gpt.position.table)
    x = table[ids] + positions[:T]
    for layer in gpt.causal_layers:
        assert layer.causal and layer.norm_first == norm_first
        x = numpy(layer(x))
    if norm_first:
        x = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    np.testing.assert_allclose(numpy(gpt(ids)), x @ table.T, atol=1e-4)


def test_gpt_has_its_published_size():
    """117 M parameters (Radford et al., 2018), with its vocabulary of 40,478."""
    d, f = 768, 3072
    layer = 4 * d * (d + 1) + 2 * d * f + f + d + 4 * d
    assert (40_478 + 512) * d + 12 * layer == 116_534_784
    d, f = 12, 20
    layer = 4 * d * (d + 1) + 2 * d * f + f + d + 4 * d
    assert make().count_params() == (V + 16) * d + 2 * layer
    assert make(norm_first=True).count_params() == (V + 16) * d + 2 * layer + 2 * d


def uncached(gpt):
    """next_logits by all positions anew, whatever was known before."""

    def next_logits(ids, step, cache):
        return ops.take(gpt.forbid(gpt(ids)), step, axis=1), cache

    return next_logits


def test_greedy_search_goes_on_with_prompts_cached_and_not(gpt):
    options = {"max_length": MAX_LENGTH, "constraints": [ka.force_prefix(PROMPTS)]}
    next_logits, start_ids, cache = gpt.start_search(B, MAX_LENGTH)
    cached = numpy(ka.greedy_search(next_logits, start_ids, cache=cache, **options))
    whole = numpy(ka.greedy_search(uncached(gpt), start_ids, **options))
    np.testing.assert_array_equal(cached, whole)
    assert cached[:, 0].tolist() == [START, START]
    assert cached[0, 1:4].tolist() == [5, 6, 7] and cached[1, 1] == 8


def test_beam_search_finds_what_score_says(gpt):
    next_logits, start_ids, cache = gpt.start_search(B, MAX_LENGTH)
    found = ka.beam_search(
        next_logits,
        start_ids,
        max_length=MAX_LENGTH,
        cache=cache,
        beam_size=3,
        n_best=1,
        constraints=[ka.force_prefix(PROMPTS)],
    )
    ids = numpy(found.ids)[:, 0]
    assert ids[0, 1:4].tolist() == [5, 6, 7] and ids[1, 1] == 8
    again = ka.score(gpt.forbid(gpt(ids[:, :-1])), ids[:, 1:])
    np.testing.assert_allclose(
        numpy(again.log_probs), numpy(found.log_probs)[:, 0], rtol=1e-4
    )


def test_samples_begin_with_their_prompts_and_hold_no_start(gpt):
    next_logits, start_ids, cache = gpt.start_search(B, MAX_LENGTH)
    begin = ka.force_prefix(PROMPTS)
    options = {"max_length": MAX_LENGTH, "cache": cache, "constraints": [begin]}
    ids = numpy(ka.sample(next_logits, start_ids, temperature=3.0, seed=1, **options))
    again = ka.sample(next_logits, start_ids, temperature=3.0, seed=1, **options)
    np.testing.assert_array_equal(numpy(again), ids)
    assert ids[0, 1:4].tolist() == [5, 6, 7] and ids[1, 1] == 8
    for row in ids[:, 1:].tolist():
        text = row[: row.index(END)]
        assert START not in text and PAD not in text


def test_its_maps_look_back_only(gpt):
    [first, second] = gpt.attention_maps(token_ids())["decoder"]
    for weights in map(numpy, (first, second)):
        assert weights.shape == (B, 3, T, T)
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
        assert not np.triu(weights, k=1).any()


def test_a_file_holds_all_of_it(gpt, tmp_path):
    gpt.save(tmp_path / "gpt.keras")
    loaded = keras.saving.load_model(tmp_path / "gpt.keras")
    assert loaded.get_config() == gpt.get_config()
    np.testing.assert_array_equal(numpy(loaded(token_ids())), numpy(gpt(token_ids())))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_heads": 5}, "d_model=12 and num_heads=5"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"max_length": 0}, "max_length=0"),
        ({"dropout_rate": 1.0}, "dropout_rate=1.0"),
    ],
)
def test_sizes_that_can_not_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=f"LanguageModel: got .*{message}"):
        make(**settings)


def test_more_tokens_than_positions_are_refused():
    gpt = make()
    with pytest.raises(ValueError, match="17 positions, but the table .*max_length=16"):
        gpt(token_ids(length=17))
    with pytest.raises(ValueError, match="17 positions, but the table .*max_length=16"):
        gpt.start_search(B, max_length=np.int64(18))
    gpt.start_search(B, max_length=17)  # END is not read


def test_an_id_outside_of_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="language_model: got the id 13 .*0 to 12"):
        make()(np.array([[2, 13]]))
