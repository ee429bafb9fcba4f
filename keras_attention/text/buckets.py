"""Lengths of sentence pairs -> which pairs make up which batch, epoch by epoch."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class BatchOptions:
    """What one asks of batches, checked; see `translation_dataset`."""

    owner: str  # Who is asked, for messages.
    batch_tokens: int
    max_length: int
    num_widths: int
    too_long: str
    shuffle: bool
    seed: int

    def __post_init__(self):
        if self.max_length < 2:
            raise ValueError(
                f"{self.owner}: got max_length={self.max_length}, but a sentence takes "
                "at least 2 tokens: one and END. Use 2 or more."
            )
        if self.num_widths < 1:
            raise ValueError(
                f"{self.owner}: got num_widths={self.num_widths}, but batches need at "
                "least 1 width. Use 1 or more."
            )
        if self.too_long not in ("drop", "truncate"):
            raise ValueError(
                f"{self.owner}: got too_long={self.too_long!r}, but a long pair can "
                "only be handled by 'drop' or 'truncate'. Choose one of them."
            )
        if self.seed < 0:
            raise ValueError(
                f"{self.owner}: got seed={self.seed}, but a seed is a whole number "
                "that is not negative. Use 0 or more."
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Epoch:
    """The pairs and batches of one epoch, in the order they are served."""

    number: int
    pairs: np.ndarray  # (pairs,), numbers of the pairs, bucket by bucket
    batches: np.ndarray  # (batches, 4): start and stop in `pairs`, rows, width

    def batch(self, index: int) -> tuple[np.ndarray, tuple[int, int]]:
        """The pairs of a batch (at most B,), and its shape (B, W)."""
        start, stop, rows, width = self.batches[index].tolist()
        return self.pairs[start:stop], (rows, width)


@dataclasses.dataclass(frozen=True, eq=False)
class BatchPlan:
    """Which pairs share a batch shape, and in which order batches are served.

    Attributes:
        buckets: The pairs of each width, (pairs,) each, from narrow to wide.
        batches: (batches, 4): start and stop in the joined pairs of all buckets, rows,
            width.
        seed: Decides the order of every epoch; None keeps the order of the table.
    """

    buckets: list[np.ndarray]
    batches: np.ndarray
    seed: int | None

    def __len__(self):
        return len(self.batches)

    def epoch(self, number: int) -> Epoch:
        """The order of an epoch: it depends on the seed and the number alone."""
        if self.seed is None:
            return self.in_order(number)
        mixed = np.random.default_rng([self.seed, number]).permutation
        pairs = np.concatenate([mixed(bucket) for bucket in self.buckets])
        return Epoch(number, pairs, mixed(self.batches))

    def in_order(self, number: int = 0) -> Epoch:
        """An epoch as the table has it: from narrow to wide, pairs in their order."""
        return Epoch(number, np.concatenate(self.buckets), self.batches)


def plan_batches(pairs, lengths, options: BatchOptions) -> BatchPlan:
    """Numbers of pairs (pairs,) and their lengths (pairs,) -> the plan of batches."""
    widths = choose_widths(lengths, options.num_widths)
    if options.batch_tokens < widths[-1]:
        raise ValueError(
            f"{options.owner}: got batch_tokens={options.batch_tokens}, but the "
            f"longest pair takes {widths[-1]} tokens, more than a whole batch. Raise "
            "batch_tokens, or lower max_length."
        )
    bounds = zip([0, *widths], widths)
    buckets = [pairs[(lengths > low) & (lengths <= high)] for low, high in bounds]
    batches = _batch_table([len(bucket) for bucket in buckets], widths, options)
    return BatchPlan(buckets, batches, options.seed if options.shuffle else None)


def choose_widths(lengths: np.ndarray, num_widths: int) -> list[int]:
    """Choose the widths that pad least when each length takes the narrowest that fits.

    Dynamic programming over the sorted distinct lengths: the best cover of the shortest
    j of them by k widths is the best cover of the shortest i by k - 1, for some i < j,
    and the j-th length as the width of the rest.

    Args:
        lengths: (pairs,), positive integers.
        num_widths: Most widths to choose, at least 1.

    Returns:
        At most `num_widths` widths, ascending; the last is the longest length.

    Example:

    >>> choose_widths(np.array([2, 2, 2, 3, 9, 10]), num_widths=2)
    [3, 10]
    """
    widths, counts = np.unique(lengths, return_counts=True)
    # Of the pairs with one of the first j lengths: how many there are, and how many
    # tokens they take, padding included.
    shorter = np.concatenate([[0], np.cumsum(counts)])
    area = np.concatenate([[0], np.full(len(widths), np.inf)])
    splits = []
    for _ in range(min(num_widths, len(widths))):
        area, split = _add_width(area, widths, shorter)
        splits.append(split)
    end, chosen = len(widths), []
    for split in reversed(splits):
        chosen.append(int(widths[end - 1]))
        end = split[end]
    return chosen[::-1]


def _add_width(area, widths, shorter):
    """Best cover by k - 1 widths -> best by k, and where its last width starts."""
    wider = np.full_like(area, np.inf)
    split = np.zeros(len(area), int)
    for end in range(1, len(area)):
        areas = area[:end] + widths[end - 1] * (shorter[end] - shorter[:end])
        split[end] = np.argmin(areas)
        wider[end] = areas[split[end]]
    return wider, split


def _batch_table(sizes, widths, options: BatchOptions) -> np.ndarray:
    """Sizes of buckets and their widths -> (batches, 4): start, stop, rows, width."""
    table, start = [], 0
    for size, width in zip(sizes, widths):
        rows = _even_rows(size, options.batch_tokens // width)
        stop = start + size
        for first in range(start, stop, rows):
            table.append((first, min(first + rows, stop), rows, width))
        start = stop
    return np.array(table)


def _even_rows(num_pairs: int, most_rows: int) -> int:
    """Rows a batch: the fewest that need no more batches than `most_rows` would."""
    num_batches = -(-num_pairs // most_rows)
    return -(-num_pairs // num_batches)
