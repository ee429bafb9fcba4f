"""Sentence pairs -> those to learn from, and those to test on."""

import random


def hold_out(pairs, seed):
    """Split off one sentence in twenty, 1 to 1,000, with all its translations.

    A corpus may hold a sentence more than once; what is held out is not learned from.

    Args:
        pairs: (sources, targets), two lists of as many str.
        seed: Which ones; an int.

    Returns:
        Two such pairs of lists: to learn from, and held out.

    Raises:
        ValueError: There are fewer than two sentences that differ.

    Example:

    >>> sources, targets = [f"sentence {n}" for n in range(40)], ["Satz"] * 40
    >>> train, valid = hold_out((sources, targets), seed=0)
    >>> len(train[0]), len(valid[0])
    (38, 2)
    """
    sentences = sorted(set(pairs[0]))
    if len(sentences) < 2:
        raise ValueError(
            f"hold_out: got {len(sentences)} different sentences, but some are to "
            f"learn from and others to test on. Give more of them."
        )
    random.Random(seed).shuffle(sentences)
    held_out = set(sentences[: min(1000, max(1, len(sentences) // 20))])
    return select(pairs, held_out, False), select(pairs, held_out, True)


def select(pairs, held_out, wanted):
    """The pairs whose source is held out, or those whose source is not."""
    chosen = [pair for pair in zip(*pairs) if (pair[0] in held_out) == wanted]
    sources, targets = zip(*chosen)
    return list(sources), list(targets)
