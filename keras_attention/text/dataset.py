"""Sentence pairs -> shuffled batches of ids (B, W), in a few fixed widths."""

import itertools
import os
from collections.abc import Sequence

import tensorflow as tf

from keras_attention.special_tokens import END, PAD
from keras_attention.text.buckets import BatchOptions, BatchPlan
from keras_attention.text.ragged_ids import RaggedIds
from keras_attention.text.token_pairs import (
    TokenPairs,
    prepare_pairs,
    require_parallel,
)
from keras_attention.text.unknown_tokens import SAMPLE, most_unknown, warn_of_unknown
from keras_attention.text.untuned_data import untuned

# Sentences that one thread tokenizes in one go.
CHUNK = 1024

# Batches made while a model learns from another: they cost next to nothing.
READY = 4


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

    A warning with figures tells of sides with more than 1 % `UNKNOWN` tokens, and of
    pairs that are too long. `TokenBatches` serves the same batches without TensorFlow.
    On JAX and torch it is the better choice: `fit` takes a look at a batch there before
    it trains, and with it an epoch of a `tf.data.Dataset` is gone.

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
        seed: At least 0. It and the number of an epoch alone decide the order of the
            epoch, the same as that of `TokenBatches`. An epoch is one iterator from
            which a batch was taken, so `repeat().skip(e * len(dataset) + b)` goes on
            with batch b of epoch e.

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
    options = BatchOptions(
        "translation_dataset",
        batch_tokens,
        max_length,
        num_widths,
        too_long,
        shuffle,
        seed,
    )
    _require_sentences(source_lines, target_lines)
    names = ("source_lines", "target_lines")
    require_parallel(source_lines, target_lines, names, options.owner)
    sources = _tokenize(source_lines, source_tokenizer)
    targets = _tokenize(target_lines, target_tokenizer)
    describe = _describe_unknown(source_lines, source_tokenizer)
    warn_of_unknown(options.owner, "source_lines", sources, describe)
    describe = _describe_unknown(target_lines, target_tokenizer)
    warn_of_unknown(options.owner, "target_lines", targets, describe)
    pairs = prepare_pairs(sources, targets, options)
    return untuned(
        _planned_batches(pairs.plan)
        .map(_batch_gatherer(pairs))
        .apply(tf.data.experimental.assert_cardinality(len(pairs.plan)))
        .prefetch(READY)
    )


def _planned_batches(plan: BatchPlan) -> tf.data.Dataset:
    """(pairs (at most B,), rows, width) of each batch; each iterator the next epoch.

    Keras makes an iterator more than it uses, so an epoch is drawn up only when its
    first batch is asked for. One array orders all pairs: `Dataset.shuffle` would hold
    each as a tensor of its own, at 360 bytes and 4 microseconds a pair.
    """
    numbers = itertools.count()

    def next_epoch():
        epoch = plan.epoch(next(numbers))
        return epoch.pairs, epoch.batches

    def batches(_):
        pairs, table = tf.numpy_function(next_epoch, [], [tf.int64, tf.int64])
        pairs = tf.ensure_shape(pairs, [None])
        table = tf.ensure_shape(table, plan.batches.shape)
        return tf.data.Dataset.from_tensor_slices(table).map(
            lambda batch: (pairs[batch[0] : batch[1]], batch[2], batch[3])
        )

    return tf.data.Dataset.range(1).flat_map(batches)


def _batch_gatherer(pairs: TokenPairs):
    """Function that collects the ids of one batch.

    `rows` and `width` reach the function as tensors, so the shapes of its results are
    unknown (None, None), and a `tf.function` over them traces once for all widths.
    """
    sources, targets = _ragged_tensor(pairs.sources), _ragged_tensor(pairs.targets)

    def gather(indices, rows, width):
        source_ids = tf.gather(sources, indices)  # (pairs, None)
        source_ids = source_ids.to_tensor(PAD, shape=tf.stack([rows, width]))
        target = tf.gather(targets, indices)  # (pairs, None)
        target = target.to_tensor(PAD, shape=tf.stack([rows, width + 1]))
        target_ids = tf.where(target == END, PAD, target)[:, :-1]
        return {"source_ids": source_ids, "target_ids": target_ids}, target[:, 1:]

    return gather


def _ragged_tensor(ids: RaggedIds) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(ids.values, ids.row_splits)


def _tokenize(lines: Sequence[str], tokenizer) -> RaggedIds:
    """Sentences -> their ids, in parallel."""
    strings = tf.constant(lines, tf.string)
    chunks = tf.data.Dataset.range(0, len(lines), CHUNK).map(
        lambda start: tokenizer.tokenize(strings[start : start + CHUNK]),
        num_parallel_calls=os.cpu_count(),
    )
    return RaggedIds.of(tf.concat(list(untuned(chunks)), axis=0))


def _describe_unknown(lines: Sequence[str], tokenizer):
    """Function: numbers of the sentences with unknown tokens (n,) -> what they hold."""

    def describe(numbers):
        sample = [lines[number] for number in numbers[:SAMPLE]]
        parts = most_unknown(sample, lambda some: _tokenize(some, tokenizer), number=5)
        named = f"most often {', '.join(map(repr, parts))}, " if parts else ""
        return f"{named}for example in {sample[0][:80]!r}"

    return describe


def _require_sentences(source_lines, target_lines):
    for name, lines in [("source_lines", source_lines), ("target_lines", target_lines)]:
        if isinstance(lines, (str, bytes)):
            raise TypeError(
                f"translation_dataset: got {name}={lines[:80]!r}, but needs a list of "
                "sentences. Read the file first, for example by read_sentence_pairs."
            )
