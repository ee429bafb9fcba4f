import collections

import numpy as np

from keras_attention.embeddings.cooccurrences import count_cooccurrences


def counts_by_loops(sentences, words, window):
    """{(i, j): X_ij}, word by word, as section 4.2 has it."""
    counts = collections.Counter()
    for sentence in sentences:
        ids = [words.index(word) for word in sentence if word in words]
        for place, word in enumerate(ids):
            for other in range(max(0, place - window), place):
                counts[word, ids[other]] += 1 / (place - other)
                counts[ids[other], word] += 1 / (place - other)
    return counts


def test_it_is_what_loops_over_the_words_count():
    generator = np.random.default_rng(0)
    words = [f"w{index}" for index in range(7)]
    sentences = [
        [f"w{index}" for index in generator.integers(0, 9, length)]
        for length in (0, 1, 2, 5, 13, 3)
    ]
    for window in (1, 3, 20):
        pairs, counts = count_cooccurrences(sentences, words, window)
        expected = counts_by_loops(sentences, words, window)
        assert [tuple(pair) for pair in pairs.tolist()] == sorted(expected)
        expected = [expected[tuple(pair)] for pair in pairs.tolist()]
        np.testing.assert_allclose(counts, expected, rtol=1e-6)


def test_a_pair_at_distance_two_counts_half():
    pairs, counts = count_cooccurrences([["a", "b", "c"]], ["a", "b", "c"], 2)
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]
    assert counts.tolist() == [1, 0.5, 1, 1, 0.5, 1]


def test_no_pair_reaches_into_another_sentence():
    pairs, _ = count_cooccurrences([["a"], ["b"], []], ["a", "b"])
    assert pairs.shape == (0, 2)


def test_a_text_without_sentences_has_no_pairs():
    pairs, counts = count_cooccurrences([], ["a"])
    assert pairs.shape == (0, 2) and counts.shape == (0,)
