"""Pairs of token ids -> shuffled batches (B, W), in a few fixed widths, for `fit`."""

from keras_attention.special_tokens import PAD
from keras_attention.text.buckets import BatchOptions
from keras_attention.text.planned_batches import PlannedBatches
from keras_attention.text.ragged_ids import RaggedIds
from keras_attention.text.token_pairs import (
    prepare_pairs,
    require_parallel,
    shifted,
)
from keras_attention.text.unknown_tokens import name_sentences, warn_of_unknown


class TokenBatches(PlannedBatches):
    """Serve pairs of tokenized sentences in batches for `model.fit`, on any backend.

    The same batches in the same order as `translation_dataset` makes of the sentences,
    which says what a width is and what a batch holds; but from token ids, and by NumPy
    alone, so that training needs no TensorFlow. There are at most `num_widths` batch
    shapes for JAX to compile for, and one trace on TensorFlow.

    Every pass of `fit` is an epoch, and its order depends on `seed` and the number of
    the epoch alone. `starting_at` gives the data from any epoch and batch on, for a
    training to be resumed. The `shuffle` of `fit` changes nothing, and one object
    serves one training or evaluation at a time. Batches are made faster than they are
    used, so there are no `workers`.

    `len(batches)` is the number of batches in a whole epoch. A loop over the object is
    an epoch too. `batches[i]` outside of an epoch is a look at some batch: narrow and
    wide ones by turns.

    Args:
        sources: Token ids of sentences, with no special tokens: sequences of int, one a
            sentence, or a `RaggedIds`, or a `tf.RaggedTensor`.
        targets: Those of their translations.
        batch_tokens: Most source tokens, and most target tokens, in a batch, padding
            included: B * W is at most this.
        max_length: Most tokens in a sentence, with its `END`; at least 2.
        num_widths: Most widths, at least 1. More of them pad less.
        too_long: What becomes of a pair with a longer sentence: "drop" it, or
            "truncate" the sentence and end it with `END`. A warning tells how many.
        shuffle: Whether to mix pairs and batches, anew in each epoch. Otherwise the
            widths come from narrow to wide, with their pairs in the order given.
        seed: At least 0.

    Returns:
        Batches of `({"source_ids": (B, W), "target_ids": (B, W)}, labels (B, W))`,
        int32 arrays. `source_ids` are the source's tokens and `END`; `target_ids` are
        `START` and the target's tokens; `labels` are the target's tokens and `END`; all
        with `PAD` after them.

    Raises:
        ValueError: the numbers of sentences differ; no pair is left; `batch_tokens` has
            no room for the longest pair; a sentence holds `PAD`, `START` or `END`; a
            value is out of its range.
        TypeError: the ids are no integers.

    Example:

    >>> batches = TokenBatches([[5, 6], [7]], [[8], [9, 4]], shuffle=False)
    >>> len(batches)
    1
    >>> inputs, labels = next(iter(batches))
    >>> inputs["source_ids"].tolist()
    [[5, 6, 3], [7, 3, 0]]
    >>> inputs["target_ids"].tolist()
    [[2, 8, 0], [2, 9, 4]]
    >>> labels.tolist()
    [[8, 3, 0], [9, 4, 3]]
    """

    def __init__(
        self,
        sources,
        targets,
        *,
        batch_tokens: int = 4096,
        max_length: int = 256,
        num_widths: int = 6,
        too_long: str = "drop",
        shuffle: bool = True,
        seed: int = 0,
    ):
        options = BatchOptions(
            "TokenBatches",
            batch_tokens,
            max_length,
            num_widths,
            too_long,
            shuffle,
            seed,
        )
        sources, targets = RaggedIds.of(sources), RaggedIds.of(targets)
        require_parallel(sources, targets, ("sources", "targets"), options.owner)
        warn_of_unknown(options.owner, "sources", sources, name_sentences)
        warn_of_unknown(options.owner, "targets", targets, name_sentences)
        self._pairs = prepare_pairs(sources, targets, options)
        super().__init__(self._pairs.plan)

    def _gather(self, pairs, shape):
        """Numbers of pairs, at most (B,), and the shape (B, W) -> a batch."""
        source_ids = self._pairs.sources.padded(pairs, shape, PAD)
        target_ids, labels = shifted(self._pairs.targets, pairs, shape)
        return {"source_ids": source_ids, "target_ids": target_ids}, labels
