"""Token ids of sentences -> batches of masked tokens, and of pairs, for `fit`."""

import dataclasses
from typing import NamedTuple

import numpy as np

from keras_attention.special_tokens import PAD
from keras_attention.text.planned_batches import PlannedBatches
from keras_attention.text.ragged_ids import RaggedIds
from keras_attention.text.token_masking import TokenMasking

# Widths of batches are multiples of this, so that there are few of them to compile for.
WIDTH_STEP = 8


class PretrainingBatches(PlannedBatches):
    """Serve sentences with hidden tokens to a `BertPretraining`, on any backend.

    Each epoch hides other tokens, and with `documents` makes other pairs; both depend
    on `seed` and the number of the epoch alone. Rows of about one length share a batch,
    and the batches come in any order. The `shuffle` of `fit` changes nothing, and one
    object serves one training or evaluation at a time. Nothing of it needs TensorFlow.

    `starting_at` gives the data from any epoch and batch on, for `ResumableTraining`.

    Args:
        sentences: Token ids without special tokens: sequences of int, one a sentence,
            or a `RaggedIds`, or a `tf.RaggedTensor` as a tokenizer gives it.
        tokenizer: A `WordPieceTokenizer`, or whatever else has its `vocab_size`,
            `cls_id`, `sep_id`, `mask_id` and `special_ids`.
        documents: (sentences,), int, the number of the document that each is of; those
            of one document stand together in their order. Each sentence that has a next
            one is then the first of a pair: half of the seconds are that next one,
            half are drawn from other documents. None: single sentences, no pairs.
        batch_size: Rows of a batch.
        max_length: Most tokens of a row, special ones included. Of a longer pair the
            ends of the longer sentence are cut off until it fits.
        masked_share: Share of the tokens that are to be guessed, in (0, 1).
        fixed: Serve the same in every pass, as validation wants it.
        seed: At least 0.

    Returns:
        Batches of `(inputs, labels)`, int32 arrays:
        `{"token_ids": (B, W), "segment_ids": (B, W), "positions": (B, M)}` and
        `{"tokens": (B, M)}`, `PAD` where nothing is asked; with `documents` also
        `{"next": (B,)}`: 0 if the second follows the first, 1 if not. M is the share of
        W, rounded.

    Raises:
        TypeError: The ids are no integers.
        ValueError: There are no sentences, or an id that the tokenizer has not; the
            documents are not one for each sentence, not together, or do not make a
            pair; a value is out of its range.

    Source:
        Devlin et al., 2019, section 3.1. Departures: masks and pairs are drawn anew in
        each epoch, and not once (Liu et al., 2019, section 4.1, "dynamic masking"); a
        sentence of a pair is one sentence, and not as many as fit.

    Example:

    >>> from types import SimpleNamespace
    >>> tokenizer = SimpleNamespace(
    ...     vocab_size=30, cls_id=2, sep_id=3, mask_id=4, special_ids=(0, 1, 2, 3, 4))
    >>> batches = PretrainingBatches([[5, 6, 7], [8, 9]], tokenizer)
    >>> inputs, labels = next(iter(batches))
    >>> inputs["token_ids"].shape, inputs["positions"].shape, labels["tokens"].shape
    ((2, 8), (2, 1), (2, 1))
    """

    def __init__(
        self,
        sentences,
        tokenizer,
        documents=None,
        *,
        batch_size: int = 64,
        max_length: int = 128,
        masked_share: float = 0.15,
        fixed: bool = False,
        seed: int = 0,
    ):
        _require_in_range(batch_size, max_length, masked_share, seed)
        self.sentences = RaggedIds.of(sentences)
        _require_sentences(self.sentences, tokenizer.vocab_size)
        if documents is not None:
            documents = _require_documents(documents, len(self.sentences))
        self.max_length = max_length
        self._cls_id, self._sep_id = tokenizer.cls_id, tokenizer.sep_id
        self._masking = TokenMasking(
            tokenizer.vocab_size,
            tokenizer.mask_id,
            tuple(tokenizer.special_ids),
            masked_share,
        )
        lengths = self.sentences.lengths
        super().__init__(PretrainingPlan(lengths, documents, batch_size, fixed, seed))

    def _gather(self, rows, seed, width=None):
        """`Rows` of sentences, and the seed of their masks -> a batch."""
        width = self._width(rows) if width is None else width
        token_ids = np.full((len(rows.firsts), width), PAD, np.int32)
        segment_ids = np.zeros_like(token_ids)
        for place, (first, second) in enumerate(self._segments(rows, width)):
            middle, stop = len(first), len(first) + len(second)
            token_ids[place, :stop] = [*first, *second]
            segment_ids[place, middle:stop] = 1
        masked = self._masking(token_ids, np.random.default_rng(seed))
        inputs = {
            "token_ids": masked.token_ids,
            "segment_ids": segment_ids,
            "positions": masked.positions,
        }
        if rows.is_other is None:
            return inputs, {"tokens": masked.labels}
        return inputs, {"tokens": masked.labels, "next": rows.is_other}

    def _look(self, index):
        """A narrow and a wide one by turns.

        Keras on TensorFlow looks at 0 and 1 before it begins, and takes an axis on
        which they agree to be of that size in all batches. Of an only batch it takes
        all sizes, so that one is looked at as it is.
        """
        width = self.max_length if index % 2 else min(WIDTH_STEP, self.max_length)
        width = None if len(self) == 1 else width
        index = range(len(self))[index]
        return self._gather(*self._epoch.batch(index), width)

    def _width(self, rows):
        """Of the narrowest batch that these rows fit into.

        But an only batch has one width in all epochs, whatever is drawn to its rows.
        """
        if len(self) == 1 and rows.seconds is not None:
            return self.max_length
        longest = int(rows.lengths(self.sentences.lengths).max())
        return min(-(-longest // WIDTH_STEP) * WIDTH_STEP, self.max_length)

    def _segments(self, rows, width):
        """For each row `[CLS]` first `[SEP]`, and second `[SEP]` or nothing."""
        for place, number in enumerate(rows.firsts):
            first = self.sentences[number]
            if rows.seconds is None:
                yield [self._cls_id, *first[: width - 2], self._sep_id], []
                continue
            second, room = self.sentences[rows.seconds[place]], width - 3
            keep = max(room - len(second), room - room // 2)
            first = [self._cls_id, *first[:keep], self._sep_id]
            yield first, [*second[: width - len(first) - 1], self._sep_id]


class Rows(NamedTuple):
    """Numbers of the sentences of each row: (n,) each, or None without pairs."""

    firsts: np.ndarray
    seconds: np.ndarray | None
    is_other: np.ndarray | None  # int32, 1 where the second does not follow

    def take(self, places):
        """Some of the rows."""
        return Rows(*(None if one is None else one[places] for one in self))

    def lengths(self, lengths):
        """Lengths of all sentences -> those of the rows, special tokens included."""
        if self.seconds is None:
            return lengths[self.firsts] + 2
        return lengths[self.firsts] + lengths[self.seconds] + 3


class PretrainingEpoch(NamedTuple):
    """The rows of one epoch, and which of them make up each batch."""

    number: int
    rows: Rows
    batches: list  # of (B,), places in `rows`
    seeds: np.ndarray  # (batches,), of their masks

    def batch(self, index):
        """The `Rows` of a batch, and the seed of their masks."""
        return self.rows.take(self.batches[index]), self.seeds[index]


@dataclasses.dataclass(frozen=True, eq=False)
class PretrainingPlan:
    """Which sentences make up the rows and batches of each epoch.

    Args:
        lengths: (sentences,), tokens of each.
        documents: (sentences,), 0 and up, the document of each; or None.
        batch_size, fixed, seed: See `PretrainingBatches`.
    """

    lengths: np.ndarray
    documents: np.ndarray | None
    batch_size: int
    fixed: bool
    seed: int

    @property
    def firsts(self):
        """Sentences that a row begins with: those with a next one, or with a token."""
        if self.documents is None:
            return np.flatnonzero(self.lengths)
        return np.flatnonzero(self.documents[1:] == self.documents[:-1])

    def __len__(self):
        return -(-len(self.firsts) // self.batch_size)

    def epoch(self, number: int) -> PretrainingEpoch:
        """The rows of an epoch: they depend on the seed and the number alone."""
        random = np.random.default_rng([self.seed, 0 if self.fixed else number])
        rows = self._draw_rows(random)
        lengths = rows.lengths(self.lengths)
        order = np.lexsort([random.random(len(lengths)), lengths])
        starts = random.permutation(len(self)) * self.batch_size
        batches = [order[start : start + self.batch_size] for start in starts]
        seeds = random.integers(2**32, size=len(batches))
        return PretrainingEpoch(number, rows, batches, seeds)

    def _draw_rows(self, random):
        firsts = self.firsts
        if self.documents is None:
            return Rows(firsts, None, None)
        is_other = random.random(len(firsts)) < 0.5
        seconds = np.where(is_other, self._draw_others(firsts, random), firsts + 1)
        return Rows(firsts, seconds, is_other.astype(np.int32))

    def _draw_others(self, firsts, random):
        """For each sentence one of another document, all of them equally likely."""
        own = self.documents[firsts]
        starts = np.searchsorted(self.documents, own, side="left")
        stops = np.searchsorted(self.documents, own, side="right")
        outside = random.integers(len(self.documents) - (stops - starts))
        return np.where(outside < starts, outside, outside + stops - starts)


def _require_in_range(batch_size, max_length, masked_share, seed):
    for name, value, least in (
        ("batch_size", batch_size, 1),
        ("max_length", max_length, 5),  # two sentences of one token, and three special
        ("seed", seed, 0),
    ):
        if value < least:
            raise ValueError(
                f"PretrainingBatches: got {name}={value}, but it must be at least "
                f"{least}. Use {least} or more."
            )
    if not 0 < masked_share < 1:
        raise ValueError(
            f"PretrainingBatches: got masked_share={masked_share}, but some tokens are "
            f"hidden and some must be left to guess them from. Use a number between 0 "
            f"and 1; BERT has 0.15."
        )


def _require_sentences(sentences, vocab_size):
    if not len(sentences.values):
        raise ValueError(
            f"PretrainingBatches: got {len(sentences)} sentences without a token, but "
            f"there must be something to learn from. Give tokenized text."
        )
    wrong = sentences.values[(sentences.values < 0) | (sentences.values >= vocab_size)]
    if wrong.size:
        raise ValueError(
            f"PretrainingBatches: got the id {wrong[0]} in the sentences, but the "
            f"tokenizer has ids from 0 to {vocab_size - 1}. Give the tokenizer that "
            f"made the ids."
        )


def _require_documents(documents, number):
    """Return the documents numbered in their order; raise unless they make pairs."""
    documents = np.asarray(documents)
    if documents.shape != (number,):
        raise ValueError(
            f"PretrainingBatches: got documents of shape {documents.shape} for "
            f"{number} sentences, but each sentence is of one document. Give one "
            f"number for each."
        )
    changes = documents[1:] != documents[:-1]
    runs = 1 + int(changes.sum())
    if runs != len(np.unique(documents)):
        raise ValueError(
            f"PretrainingBatches: got {len(np.unique(documents))} documents in {runs} "
            f"runs, but the sentences of a document follow one another. Sort them by "
            f"document."
        )
    if runs < 2 or changes.all():
        raise ValueError(
            f"PretrainingBatches: got {runs} documents of {number} sentences, but a "
            f"pair takes two sentences of one document, and one of another to confuse "
            f"them with. Give longer text, or documents=None for no pairs."
        )
    return np.concatenate([[0], np.cumsum(changes)])
