"""Token ids (B, T) -> the same with some hidden, where they are, and what they were."""

import dataclasses
from typing import NamedTuple

import numpy as np

from keras_attention.special_tokens import PAD

# Of the tokens chosen, how many are hidden, and up to where they are drawn anew; the
# rest stay as they are.
HIDDEN, DRAWN_ANEW = 0.8, 0.9


class MaskedTokens(NamedTuple):
    """What a masked language model sees, and what it is asked."""

    token_ids: np.ndarray  # (B, T), int32
    positions: np.ndarray  # (B, M), int32, ascending; 0 where nothing is asked
    labels: np.ndarray  # (B, M), int32, the tokens that stood there; PAD likewise


@dataclasses.dataclass(frozen=True, eq=False)
class TokenMasking:
    """Choose tokens at random, and hide most of them.

    Of each row `share` of the tokens are chosen, `[CLS]` and `[SEP]` counted too, but
    at least one. Of these 80 % become `[MASK]`, 10 % another token drawn evenly, and
    10 % stay. Special tokens and padding are neither chosen nor drawn.

    Args:
        vocab_size: V, tokens.
        mask_id: Id of `[MASK]`.
        special_ids: Of all tokens that are never chosen and never drawn.
        share: In (0, 1).

    Source:
        Devlin et al., 2019, sections 3.1 and A.1, and the authors' code for the number
        of tokens. Departure: that code draws from the whole vocabulary, the special
        tokens included.

    Example:

    >>> masking = TokenMasking(30, mask_id=4, special_ids=(0, 1, 2, 3, 4), share=0.15)
    >>> ids = np.array([[2, 7, 8, 9, 3, 0, 0]])
    >>> masked = masking(ids, np.random.default_rng(0))
    >>> masked.positions.shape, masked.labels.shape
    ((1, 1), (1, 1))
    """

    vocab_size: int
    mask_id: int
    special_ids: tuple
    share: float = 0.15

    @property
    def ordinary(self) -> np.ndarray:
        """(V,), whether a token may be chosen and drawn."""
        ordinary = np.ones(self.vocab_size, bool)
        ordinary[list(self.special_ids)] = False
        return ordinary

    def __call__(self, ids: np.ndarray, random: np.random.Generator) -> MaskedTokens:
        """Hide tokens of a batch (B, T), with M = round(share T) columns of answers."""
        positions = self._choose(ids, random)
        asked = positions > 0
        before = np.take_along_axis(ids, positions, axis=1)
        after = np.where(asked, self._replace(before, random), before)
        token_ids = ids.astype(np.int32)
        np.put_along_axis(token_ids, positions, after, axis=1)
        labels = np.where(asked, before, PAD)
        return MaskedTokens(
            token_ids, positions.astype(np.int32), labels.astype(np.int32)
        )

    def _choose(self, ids, random):
        """(B, T) -> (B, M), positions in their order, then zeros."""
        ordinary = self.ordinary[ids]
        wanted = self._number((ids != PAD).sum(axis=1))
        wanted = np.minimum(wanted, ordinary.sum(axis=1))  # (B,)
        most = int(self._number(ids.shape[1]))
        drawn = np.where(ordinary, random.random(ids.shape), 2.0)
        first = np.argsort(drawn, axis=1)[:, :most]  # (B, M)
        behind = np.arange(most) >= wanted[:, None]
        ordered = np.sort(np.where(behind, ids.shape[1], first), axis=1)
        return np.where(behind, 0, ordered)

    def _number(self, lengths):
        """How many tokens are chosen of so many."""
        return np.maximum(1, np.round(self.share * np.asarray(lengths))).astype(int)

    def _replace(self, ids, random):
        """What the model sees in place of chosen tokens."""
        others = np.flatnonzero(self.ordinary)
        dice = random.random(ids.shape)
        drawn = others[random.integers(len(others), size=ids.shape)]
        return np.where(
            dice < HIDDEN, self.mask_id, np.where(dice < DRAWN_ANEW, drawn, ids)
        )
