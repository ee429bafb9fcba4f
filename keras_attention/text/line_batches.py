"""Lines of token ids -> shuffled batches (B, W) that a language model learns from."""

from keras_attention.text.buckets import BatchOptions
from keras_attention.text.planned_batches import PlannedBatches
from keras_attention.text.ragged_ids import RaggedIds
from keras_attention.text.token_pairs import (
    prepare_pairs,
    require_parallel,
    shifted,
)
from keras_attention.text.unknown_tokens import name_sentences, warn_of_unknown


class LineBatches(PlannedBatches):
    """Serve tokenized lines in batches for a `LanguageModel`'s `fit`, on any backend.

    A model guesses each token of a line from all before it: it is given START and the
    line, and is to say the line and `END`. Batches, their widths and their order are
    those of `TokenBatches`, with which a line is a pair: see there, and there for
    `starting_at`.

    Args:
        lines: Token ids of lines, with no special tokens: sequences of int, one a
            line, or a `RaggedIds`, or a `tf.RaggedTensor` as a tokenizer gives it.
        batch_tokens: Most tokens in a batch, padding included: B * W is at most this.
        max_length: Most tokens in a line, with its `END`; at least 2, and at most the
            model's own `max_length`.
        num_widths: Most widths, at least 1. More of them pad less.
        too_long: What becomes of a longer line: "drop" it, or "truncate" it and end it
            with `END`. A warning tells how many.
        shuffle: Whether to mix lines and batches, anew in each epoch. Otherwise the
            widths come from narrow to wide, with their lines in the order given.
        seed: At least 0.

    Returns:
        Batches of `(token_ids (B, W), labels (B, W))`, int32 arrays. `token_ids` are
        START and the line's tokens; `labels` are the line's tokens and `END`; both
        with `PAD` after them.

    Raises:
        ValueError: there is no line, or none is left; `batch_tokens` has no room for
            the longest; a line holds `PAD`, START or `END`; a value is out of its
            range.
        TypeError: the ids are no integers.

    Example:

    >>> batches = LineBatches([[5, 6], [7]], shuffle=False)
    >>> token_ids, labels = next(iter(batches))
    >>> token_ids.tolist()
    [[2, 5, 6], [2, 7, 0]]
    >>> labels.tolist()
    [[5, 6, 3], [7, 3, 0]]
    """

    def __init__(
        self,
        lines,
        *,
        batch_tokens: int = 4096,
        max_length: int = 256,
        num_widths: int = 6,
        too_long: str = "drop",
        shuffle: bool = True,
        seed: int = 0,
    ):
        options = BatchOptions(
            "LineBatches",
            batch_tokens,
            max_length,
            num_widths,
            too_long,
            shuffle,
            seed,
        )
        lines = RaggedIds.of(lines)
        require_parallel(lines, lines, ("lines", "lines"), options.owner)
        warn_of_unknown(options.owner, "lines", lines, name_sentences)
        pairs = prepare_pairs(lines, lines, options)
        super().__init__(pairs.plan)
        self._lines = pairs.targets  # START, tokens, END

    def _gather(self, rows, shape):
        """Numbers of lines, at most (B,), and the shape (B, W) -> a batch."""
        return shifted(self._lines, rows, shape)
