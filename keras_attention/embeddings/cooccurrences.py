"""Sentences of words -> how often each word stands near each other one."""

import itertools

import numpy as np


def count_cooccurrences(sentences, words, window=10):
    """Count the pairs of words in a window, a pair at distance d as 1 / d.

    Args:
        sentences: Lists of str. Words that are not in `words` are taken out first, so
            their neighbours move together.
        words: The vocabulary; a pair names them by their places in it.
        window: Most words from one to the other, on both sides. No pair reaches from
            one sentence into another.

    Returns:
        pairs (P, 2), int32, each pair (i, j) once, in order; counts X_ij (P,), float32,
        all above 0. Symmetric: X_ij = X_ji.

    Source:
        Pennington et al., 2014, sections 3 and 4.2. Departures: none; what becomes of
        rare words is as in the authors' code.

    Example:

    >>> pairs, counts = count_cooccurrences([["a", "dog", "runs"]], ["a", "runs"])
    >>> pairs.shape, float(counts.sum())
    ((2, 2), 2.0)
    """
    place = {word: index for index, word in enumerate(words)}
    known = [
        [place[word] for word in sentence if word in place] for sentence in sentences
    ]
    ids = np.fromiter(itertools.chain.from_iterable(known), "int64")
    sentence = np.repeat(np.arange(len(known)), [len(ids) for ids in known])

    # A pair as one number, i V + j, so that equal pairs are equal numbers.
    codes, counts = np.zeros(0, "int64"), np.zeros(0)
    for distance in range(1, window + 1):
        together = sentence[:-distance] == sentence[distance:]
        left, right = ids[:-distance][together], ids[distance:][together]
        new = np.concatenate([left * len(place) + right, right * len(place) + left])
        codes, where = np.unique(np.concatenate([codes, new]), return_inverse=True)
        new_counts = np.full(len(new), 1 / distance)
        counts = np.bincount(where, np.concatenate([counts, new_counts]))
    pairs = np.stack([codes // len(place), codes % len(place)], axis=1)
    return pairs.astype("int32"), counts.astype("float32")
