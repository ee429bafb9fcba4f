"""Rows, pairs and masks of each epoch, and the batches that they come in."""

import doctest
import types

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.text import pretraining_batches
from keras_attention.text.pretraining_batches import PretrainingBatches

SPECIAL = types.SimpleNamespace(
    vocab_size=500, cls_id=2, sep_id=3, mask_id=4, special_ids=(0, 1, 2, 3, 4)
)


def make_sentences(number=60, longest=30, seed=0):
    """Of sentence n every token is 5 + n, so that one sees where it came from."""
    lengths = np.random.default_rng(seed).integers(1, longest, number)
    return [[5 + n] * length for n, length in enumerate(lengths)]


def make(documents=None, **settings):
    settings = {"batch_size": 8, "max_length": 40, **settings}
    return PretrainingBatches(make_sentences(), SPECIAL, documents, **settings)


DOCUMENTS = np.repeat(np.arange(20), 3)


def unmasked(inputs, labels):
    """The tokens before they were hidden."""
    ids, positions = inputs["token_ids"].copy(), inputs["positions"]
    kept = np.take_along_axis(ids, positions, axis=1)
    restored = np.where(positions > 0, labels["tokens"], kept)
    np.put_along_axis(ids, positions, restored, axis=1)
    return ids


def rows(batches):
    """Every row of an epoch, without its padding, and its segments."""
    found = []
    for inputs, labels in batches:
        for ids, segments in zip(unmasked(inputs, labels), inputs["segment_ids"]):
            length = np.count_nonzero(ids)
            found.append((ids[:length].tolist(), segments[:length].tolist()))
    return found


def test_every_sentence_comes_once_an_epoch_between_its_marks():
    found = rows(make())
    assert sorted(ids[1] for ids, _ in found) == list(range(5, 65))
    found.sort(key=lambda row: row[0][1])
    for (ids, segments), sentence in zip(found, make_sentences()):
        assert ids == [2, *sentence, 3]
        assert not any(segments)


def test_batches_have_few_widths_and_the_positions_a_share_of_them():
    for inputs, labels in make():
        rows_in_batch, width = inputs["token_ids"].shape
        assert width in (8, 16, 24, 32, 40)
        longest = np.count_nonzero(inputs["token_ids"], axis=1).max()
        assert width - longest < 8
        assert inputs["positions"].shape == (rows_in_batch, max(1, round(0.15 * width)))
        assert labels["tokens"].shape == inputs["positions"].shape
        assert inputs["token_ids"].dtype == labels["tokens"].dtype == np.int32


def test_masks_are_drawn_anew_in_each_epoch_and_again_by_the_same_seed():
    def all_positions(batches):
        return [inputs["positions"].tolist() for inputs, _ in batches]

    batches = make(seed=3)
    first, second = all_positions(batches), all_positions(batches)
    assert first != second
    again = make(seed=3)
    assert [all_positions(again), all_positions(again)] == [first, second]
    assert all_positions(make(seed=4)) != first


def test_what_is_fixed_is_the_same_in_every_pass():
    batches = make(DOCUMENTS, fixed=True)
    first, second = list(batches), list(batches)
    for (inputs, labels), (same_inputs, same_labels) in zip(first, second):
        for name in inputs:
            np.testing.assert_array_equal(inputs[name], same_inputs[name])
        for name in labels:
            np.testing.assert_array_equal(labels[name], same_labels[name])


def test_half_of_the_seconds_follow_and_the_others_are_of_other_documents():
    batches, follows, other = make(DOCUMENTS, max_length=64), 0, 0
    firsts = []
    for _ in range(10):
        for inputs, labels in batches:
            for ids, label in zip(unmasked(inputs, labels), labels["next"]):
                (end,) = np.flatnonzero(ids == 3)[:1]
                first, second = ids[1] - 5, ids[end + 1] - 5
                firsts.append(first)
                if label == 0:
                    assert second == first + 1 and first // 3 == second // 3
                    follows += 1
                else:
                    assert second // 3 != first // 3
                    other += 1
    assert sorted(firsts) == sorted([n for n in range(60) if n % 3 < 2] * 10)
    assert abs(follows - other) < 4 * np.sqrt(follows + other)


def test_a_pair_has_two_segments_and_its_longer_end_is_cut_off():
    batches = PretrainingBatches(
        [[5] * 20, [6] * 4, [7] * 20, [8] * 20], SPECIAL, [0, 0, 1, 1], max_length=17
    )
    for _ in range(6):
        for ids, segments in rows(batches):
            a, b = ids.index(3), len(ids)
            assert segments == [0] * (a + 1) + [1] * (b - a - 1)
            assert ids[-1] == 3 and b == 17
            second = b - a - 2
            assert (a - 1, second) == ((10, 4) if ids[a + 1] == 6 else (7, 7))


def test_what_is_too_long_is_cut_off():
    for ids, _ in rows(make(max_length=10)):
        assert len(ids) <= 10 and ids[-1] == 3


def test_training_goes_on_from_any_batch():
    whole = make(DOCUMENTS, seed=1)
    expected = [*whole, *whole]
    later = make(DOCUMENTS, seed=1).starting_at(epoch=1, batch=2)
    found = list(later)
    assert len(found) == len(whole) - 2
    for (inputs, _), (expected_inputs, _) in zip(found, expected[len(whole) + 2 :]):
        np.testing.assert_array_equal(inputs["token_ids"], expected_inputs["token_ids"])


@pytest.mark.parametrize("documents, shape", [(None, (60, 32)), (DOCUMENTS, (40, 40))])
def test_an_only_batch_is_always_as_wide_as_the_one_looked_at(documents, shape):
    batches = make(documents, batch_size=100)
    assert len(batches) == 1
    looked, _ = batches[0]
    for _ in range(3):
        [(inputs, _)] = batches
        for name, ids in looked.items():
            assert inputs[name].shape == ids.shape
        assert inputs["token_ids"].shape == shape


def test_a_look_sees_two_widths():
    batches = make()
    widths = [batches[index][0]["token_ids"].shape[1] for index in (0, 1)]
    assert widths == [8, 40]


def test_a_model_learns_from_them_by_fit():
    bert = ka.Bert(500, num_layers=1, d_model=12, num_heads=3, d_ff=20, max_length=40)
    model = ka.BertPretraining(bert)
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.Adam(0.01),
        {"tokens": ka.MaskedCrossentropy(), "next": crossentropy},
        metrics={"tokens": [ka.Perplexity()], "next": ["accuracy"]},
    )
    # Other tokens of a sentence tell the hidden one, so this is soon learned.
    batches = PretrainingBatches(
        [[5 + n % 7] * 12 for n in range(60)], SPECIAL, DOCUMENTS, batch_size=20
    )  # of one shape, which is compiled once
    history = model.fit(batches, epochs=12, verbose=0).history
    assert history["tokens_perplexity"][-1] < 0.1 * history["tokens_perplexity"][0]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"batch_size": 0}, "batch_size=0, but it must be at least 1"),
        ({"max_length": 4}, "max_length=4, but it must be at least 5"),
        ({"seed": -1}, "seed=-1"),
        ({"masked_share": 0}, "masked_share=0, but some"),
        ({"masked_share": 1.0}, "masked_share=1.0"),
        ({"documents": [0] * 59}, r"documents of shape \(59,\) for 60"),
        ({"documents": [0] * 60}, "1 documents of 60"),
        ({"documents": range(60)}, "60 documents of 60"),
        ({"documents": [0, 1] * 30}, "2 documents in 60 runs"),
    ],
)
def test_what_can_not_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=f"PretrainingBatches: got {message}"):
        make(**settings)


def test_ids_of_another_vocabulary_are_refused():
    with pytest.raises(ValueError, match="the id 500 .* from 0 to 499"):
        PretrainingBatches([[5, 500]], SPECIAL)
    with pytest.raises(ValueError, match="1 sentences without a token"):
        PretrainingBatches([[]], SPECIAL)


def test_the_example_runs():
    assert doctest.testmod(pretraining_batches).attempted > 2
    assert not doctest.testmod(pretraining_batches).failed
