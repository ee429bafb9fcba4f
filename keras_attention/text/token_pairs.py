"""Token ids of sentences and their translations -> what batches are made of."""

import dataclasses
import warnings

import numpy as np

from keras_attention.special_tokens import END, PAD, START, UNKNOWN
from keras_attention.text.buckets import BatchOptions, BatchPlan, plan_batches
from keras_attention.text.ragged_ids import RaggedIds


@dataclasses.dataclass(frozen=True, eq=False)
class TokenPairs:
    """Sentences, their translations, and the plan of their batches."""

    sources: RaggedIds  # tokens, END
    targets: RaggedIds  # START, tokens, END
    plan: BatchPlan


def prepare_pairs(
    sources: RaggedIds, targets: RaggedIds, options: BatchOptions
) -> TokenPairs:
    """Cut or leave out what is too long, frame the rest by START and END, and plan."""
    _require_text("source", sources, options)
    _require_text("target", targets, options)
    lengths = 1 + np.maximum(sources.lengths, targets.lengths)  # (pairs,)
    fits = lengths <= options.max_length
    if not fits.all():
        _warn_too_long(len(fits) - fits.sum(), len(fits), options)
    if options.too_long == "truncate":
        sources = sources.cut(options.max_length - 1)
        targets = targets.cut(options.max_length - 1)
        lengths = np.minimum(lengths, options.max_length)
    kept = np.flatnonzero(lengths <= options.max_length)
    _require_some(kept, lengths, options)
    plan = plan_batches(kept, lengths[kept], options)
    targets = targets.with_first(START).with_last(END)
    return TokenPairs(sources.with_last(END), targets, plan)


def shifted(targets: RaggedIds, rows, shape) -> tuple[np.ndarray, np.ndarray]:
    """Some targets, as a model is taught them: given each token, it is to say the next.

    Args:
        targets: START, tokens, END.
        rows: (n,), numbers of targets, with n at most B.
        shape: B and W.

    Returns:
        START and the tokens, (B, W), and the tokens and END, (B, W); `PAD` after them.
    """
    rows_in_batch, width = shape
    target = targets.padded(rows, (rows_in_batch, width + 1), PAD)
    return np.where(target == END, np.int32(PAD), target)[:, :-1], target[:, 1:]


def require_parallel(sources, targets, names: tuple[str, str], owner: str):
    """Raise ValueError unless there are as many sources as targets, and any."""
    if len(sources) != len(targets):
        raise ValueError(
            f"{owner}: got {len(sources)} {names[0]} and {len(targets)} {names[1]}, "
            "but number n of one must translate number n of the other. Find the one "
            "that is missing."
        )
    if len(sources) == 0:
        raise ValueError(
            f"{owner}: got 0 {' and 0 '.join(dict.fromkeys(names))}, but needs at least "
            "one of each. Check what was read."
        )


def _require_text(side, ids: RaggedIds, options):
    """Refuse PAD, START and END among the tokens: they would hide what follows."""
    values = ids.values
    foreign = (values <= END) & (values != UNKNOWN)
    if foreign.any():
        place = int(foreign.argmax())
        row = int(np.searchsorted(ids.row_splits, place, side="right")) - 1
        raise ValueError(
            f"{options.owner}: got id {values[place]} in {side} {row}, but the tokens "
            f"of a sentence are {UNKNOWN} (UNKNOWN) and ids above {END}: START={START} "
            f"and END={END} are added, and PAD={PAD} fills up, batch by batch. Take it "
            "out."
        )


def _require_some(kept, lengths, options):
    if len(kept) == 0:
        raise ValueError(
            f"{options.owner}: got {len(lengths)} pairs of {lengths.min()} to "
            f"{lengths.max()} tokens, but max_length={options.max_length} keeps none. "
            "Raise max_length, or use too_long='truncate'."
        )


def _warn_too_long(number, total, options):
    done = {"drop": "dropped", "truncate": "truncated"}[options.too_long]
    warnings.warn(
        f"{options.owner}: {done} {number} of {total} pairs "
        f"({100 * number / total:.1f} %), which have a sentence of more than "
        f"max_length={options.max_length} tokens. Raise max_length to keep them whole.",
        stacklevel=4,
    )
