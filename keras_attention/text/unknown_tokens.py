"""Token ids -> a warning where too many of them say nothing."""

import collections
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from keras_attention.special_tokens import UNKNOWN
from keras_attention.text.ragged_ids import RaggedIds

# Above this share of UNKNOWN tokens there is a warning. A vocabulary learned from the
# text itself leaves well under a thousandth; the wrong vocabulary, most of the text.
TOLERATED_SHARE = 0.01

# Sentences that are looked through for what is unknown in them.
SAMPLE = 1000


def warn_of_unknown(
    owner: str, name: str, ids: RaggedIds, describe: Callable[[np.ndarray], str]
):
    """Warn, with figures, if more than 1 % of the tokens are UNKNOWN.

    Args:
        owner: The public function that was called, by its user's own code.
        name: Its argument.
        ids: Its token ids, with no special tokens.
        describe: Numbers of the sentences with an unknown token (n,) -> what to say of
            them.
    """
    is_unknown = ids.values == UNKNOWN
    unknown, total = int(is_unknown.sum()), len(ids.values)
    if unknown <= TOLERATED_SHARE * total:
        return
    places = np.flatnonzero(is_unknown)
    rows = np.unique(np.searchsorted(ids.row_splits, places, side="right") - 1)
    warnings.warn(
        f"{owner}: {100 * unknown / total:.1f} % of the tokens of {name} are UNKNOWN "
        f"({unknown} of {total}, in {len(rows)} of {len(ids)} sentences), so the model "
        f"cannot tell them apart: {describe(rows)}. Check that the tokenizer was "
        "trained on text of this language, case and normalization.",
        stacklevel=3,
    )


def most_unknown(lines: Sequence[str], tokenize: Callable, number: int) -> list[str]:
    """The most frequent characters that a tokenizer does not know, or words.

    Args:
        lines: Sentences with an unknown token.
        tokenize: Strings -> their `RaggedIds`.
        number: Most to name.

    Returns:
        Characters; words, if the tokenizer gives no more tokens than there are words.
    """
    words = [line.split() for line in lines]
    if len(tokenize(lines).values) <= sum(map(len, words)):
        parts = collections.Counter(word for line in words for word in line)
    else:
        parts = collections.Counter("".join("".join(line) for line in words))
    ordered = [part for part, _ in parts.most_common()]
    ids = tokenize(ordered) if ordered else []
    return [part for part, row in zip(ordered, ids) if UNKNOWN in row][:number]


def name_sentences(numbers):
    """Numbers of sentences (n,) -> the first of them, to be looked at."""
    more = ", ..." if len(numbers) > 5 else ""
    return f"see sentences {', '.join(map(str, numbers[:5]))}{more}"
