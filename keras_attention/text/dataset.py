"""Sentence pairs -> shuffled batches of ids (B, W), in a few fixed widths."""

import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_attention.special_tokens import END, PAD, START

# Sentences that one thread tokenizes in one go.
CHUNK = 1024


def translation_dataset(
    source_lines: Sequence[str],
    target_lines: Sequence[str],
    source_tokenizer,
    target_tokenizer,
    *,
    batch_tokens: int = 4096,
    max_length: int = 256,
    num_widths: int = 6,
    too_long: str = "drop",
    shuffle: bool = True,
    seed: int = 0,
) -> tf.data.Dataset:
    """Tokenize sentence pairs once and serve them in batches for `model.fit`.

    A pair is as long as the longer of its two sentences, counted in tokens with the
    `END` (or `START`) that each one gets. Every pair goes to the narrowest of at most
    `num_widths` widths that hold it, and a batch holds pairs of one width W. The widths
    are those that pad least over this corpus, so there are at most `num_widths` batch
    shapes to trace or compile for.

    All batches of a width have the same number of rows B: as many as `batch_tokens`
    allows, evened out so that the last batch is nearly as full as the others. What it
    lacks is filled up with rows of `PAD` alone (fewer than the batches of its width);
    a loss or metric that skips `PAD`, as ours do, does not see them.

    Args:
        source_lines: Sentences.
        target_lines: Their translations.
        source_tokenizer, target_tokenizer: `SubwordTokenizer`s, or anything whose
            `tokenize(strings (B,))` gives ragged ids (B, None), int32, in a graph.
        batch_tokens: Most source tokens, and most target tokens, in a batch, padding
            included: B * W is at most this.
        max_length: Most tokens in a sentence, with its `END`; at least 2.
        num_widths: Most widths, at least 1. More of them pad less.
        too_long: What becomes of a pair with a longer sentence: "drop" it, or
            "truncate" the sentence and end it with `END`. A warning tells how many.
        shuffle: Whether to mix pairs and batches, anew in each epoch. Otherwise the
            widths come from narrow to wide, with their pairs in the order given.
        seed: The same seed gives the same first epoch, second epoch, and so on, if
            TensorFlow's global seed is the same too. An epoch is one iterator, so
            `repeat().skip(k * len(dataset))` starts at epoch k.

    Returns:
        Dataset of `({"source_ids": (B, W), "target_ids": (B, W)}, labels (B, W))`,
        int32, of known cardinality. `source_ids` are the source's tokens and `END`;
        `target_ids` are `START` and the target's tokens; `labels` are the target's
        tokens and `END`; all with `PAD` after them.

    Raises:
        ValueError: the numbers of lines differ; no pair is left; `batch_tokens` has no
            room for the longest pair; a value is out of its range.
        TypeError: lines are one string.

    Example:
        >>> from keras_attention.text import SubwordTokenizer
        >>> lines = ["ab", "b", "abba"]
        >>> letters = SubwordTokenizer.train(lines, model_type="char")
        >>> data = translation_dataset(lines, lines, letters, letters, batch_tokens=10)
        >>> len(data)
        3
        >>> inputs, labels = next(iter(data))
        >>> inputs["source_ids"].shape == inputs["target_ids"].shape == labels.shape
        True
    """
    _require_options(max_length, num_widths, too_long)
    _require_parallel(source_lines, target_lines)
    sources = _tokenize(source_lines, source_tokenizer)
    targets = _tokenize(target_lines, target_tokenizer)
    lengths = 1 + np.maximum(sources.row_lengths(), targets.row_lengths())  # (pairs,)
    fits = lengths <= max_length
    if not fits.all():
        _warn_too_long(too_long, len(fits) - fits.sum(), len(fits), max_length)
    if too_long == "truncate":
        sources = sources[:, : max_length - 1]
        targets = targets[:, : max_length - 1]
        lengths = np.minimum(lengths, max_length)
    kept = np.flatnonzero(lengths <= max_length)
    _require_some(kept, lengths, max_length)
    buckets = _sort_into_buckets(kept, lengths[kept], num_widths, batch_tokens)
    indices = [bucket.indices for bucket in buckets]
    batches = _batch_table(buckets)
    plan = _shuffled(indices, batches, seed) if shuffle else _plan(indices, batches)
    gather = _batch_gatherer(_add_end(sources), _add_start(_add_end(targets)))
    return (
        plan.map(gather, num_parallel_calls=tf.data.AUTOTUNE)
        .apply(tf.data.experimental.assert_cardinality(len(batches)))
        .prefetch(tf.data.AUTOTUNE)
    )


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


@dataclasses.dataclass(frozen=True)
class Bucket:
    """The pairs that share one batch shape (rows, width)."""

    indices: np.ndarray  # (pairs,)
    rows: int
    width: int


def _sort_into_buckets(indices, lengths, num_widths, batch_tokens) -> list[Bucket]:
    """Pairs `indices` (pairs,) with their `lengths` (pairs,) -> a bucket a width."""
    widths = choose_widths(lengths, num_widths)
    if batch_tokens < widths[-1]:
        raise ValueError(
            f"translation_dataset: got batch_tokens={batch_tokens}, but the longest "
            f"pair takes {widths[-1]} tokens, more than a whole batch. Raise "
            "batch_tokens, or lower max_length."
        )
    bounds = zip([0, *widths], widths)
    members = [indices[(lengths > low) & (lengths <= high)] for low, high in bounds]
    return [
        Bucket(pairs, _even_rows(len(pairs), batch_tokens // width), width)
        for pairs, width in zip(members, widths)
    ]


def _even_rows(num_pairs: int, most_rows: int) -> int:
    """Rows a batch: the fewest that need no more batches than `most_rows` would."""
    num_batches = -(-num_pairs // most_rows)
    return -(-num_pairs // num_batches)


def _batch_table(buckets: list[Bucket]) -> np.ndarray:
    """Where each batch lies in the joined indices of all buckets, and its shape.

    Returns:
        (batches, 4): start, stop, rows, width.
    """
    table, start = [], 0
    for bucket in buckets:
        stop = start + len(bucket.indices)
        for first in range(start, stop, bucket.rows):
            last = min(first + bucket.rows, stop)
            table.append((first, last, bucket.rows, bucket.width))
        start = stop
    return np.array(table)


def _plan(indices: list, batches) -> tf.data.Dataset:
    """Indices by bucket, and a table of batches -> (indices (B,), rows, width)."""
    joined = tf.concat(indices, axis=0)  # (pairs,)
    return tf.data.Dataset.from_tensor_slices(batches).map(
        lambda batch: (joined[batch[0] : batch[1]], batch[2], batch[3])
    )


def _shuffled(indices: list, batches, seed: int) -> tf.data.Dataset:
    """One fresh seed an epoch decides the order of pairs in buckets and of batches.

    One operation orders all pairs of a bucket: `Dataset.shuffle` would hold each index
    as a tensor of its own, at 360 bytes and 4 microseconds a pair.
    """

    def epoch(seeds):
        mixed = [shuffle(bucket, seeds) for bucket in indices]
        return _plan(mixed, shuffle(batches, seeds))

    shuffle = tf.random.experimental.stateless_shuffle
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True)
    return seeds.batch(2).take(1).flat_map(epoch)


def _batch_gatherer(sources: tf.RaggedTensor, targets: tf.RaggedTensor):
    """Ids of all pairs -> function that collects those of one batch.

    `rows` and `width` reach the function as tensors, so the shapes of its results are
    unknown (None, None), and a `tf.function` over them traces once for all widths.
    """

    def gather(indices, rows, width):
        source_ids = tf.gather(sources, indices)  # (pairs, None)
        source_ids = source_ids.to_tensor(PAD, shape=tf.stack([rows, width]))
        target = tf.gather(targets, indices)  # (pairs, None)
        target = target.to_tensor(PAD, shape=tf.stack([rows, width + 1]))
        target_ids = tf.where(target == END, PAD, target)[:, :-1]
        return {"source_ids": source_ids, "target_ids": target_ids}, target[:, 1:]

    return gather


def _tokenize(lines: Sequence[str], tokenizer) -> tf.RaggedTensor:
    """Sentences -> ragged ids (pairs, None), in parallel."""
    strings = tf.constant(lines, tf.string)
    chunks = tf.data.Dataset.range(0, len(lines), CHUNK).map(
        lambda start: tokenizer.tokenize(strings[start : start + CHUNK]),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return tf.concat(list(chunks), axis=0)


def _add_end(ids: tf.RaggedTensor) -> tf.RaggedTensor:
    """Put `END` behind each row."""
    splits = ids.row_splits.numpy()
    return _insert(END, splits[1:], ids.values.numpy(), splits)


def _add_start(ids: tf.RaggedTensor) -> tf.RaggedTensor:
    """Put `START` in front of each row."""
    splits = ids.row_splits.numpy()
    return _insert(START, splits[:-1], ids.values.numpy(), splits)


def _insert(token, places, values, splits) -> tf.RaggedTensor:
    """Insert one token a row. In NumPy, because to concatenate ragged tensors row by
    row takes three times the time and twice the memory.
    """
    longer = splits + np.arange(len(splits))
    return tf.RaggedTensor.from_row_splits(np.insert(values, places, token), longer)


def _require_options(max_length, num_widths, too_long):
    if max_length < 2:
        raise ValueError(
            f"translation_dataset: got max_length={max_length}, but a sentence takes "
            "at least 2 tokens: one and END. Use 2 or more."
        )
    if num_widths < 1:
        raise ValueError(
            f"translation_dataset: got num_widths={num_widths}, but batches need at "
            "least 1 width. Use 1 or more."
        )
    if too_long not in ("drop", "truncate"):
        raise ValueError(
            f"translation_dataset: got too_long={too_long!r}, but a long pair can only "
            "be handled by 'drop' or 'truncate'. Choose one of them."
        )


def _require_parallel(source_lines, target_lines):
    for name, lines in [("source_lines", source_lines), ("target_lines", target_lines)]:
        if isinstance(lines, (str, bytes)):
            raise TypeError(
                f"translation_dataset: got {name}={lines[:80]!r}, but needs a list of "
                "sentences. Read the file first, for example by read_sentence_pairs."
            )
    if len(source_lines) != len(target_lines):
        raise ValueError(
            f"translation_dataset: got {len(source_lines)} source_lines and "
            f"{len(target_lines)} target_lines, but line n of one must translate line "
            "n of the other. Find the line that one of them lacks."
        )
    if len(source_lines) == 0:
        raise ValueError(
            "translation_dataset: got 0 source_lines and 0 target_lines, but needs at "
            "least one pair. Check what was read."
        )


def _require_some(kept, lengths, max_length):
    if len(kept) == 0:
        raise ValueError(
            f"translation_dataset: got {len(lengths)} pairs of {lengths.min()} to "
            f"{lengths.max()} tokens, but max_length={max_length} keeps none. Raise "
            "max_length, or use too_long='truncate'."
        )


def _warn_too_long(too_long, number, total, max_length):
    done = {"drop": "dropped", "truncate": "truncated"}[too_long]
    warnings.warn(
        f"translation_dataset: {done} {number} of {total} pairs "
        f"({100 * number / total:.1f} %), which have a sentence of more than "
        f"max_length={max_length} tokens. Raise max_length to keep them whole.",
        stacklevel=3,
    )
