"""What a user wants of a search -> what the searches take."""

import dataclasses
import math

from keras import ops

from keras_attention.decoding.beam_search import require_beams
from keras_attention.decoding.constraints import (
    forbid_end_before,
    forbid_repeated_ngrams,
    force_prefix,
    penalize_repetition,
    suppress_tokens,
)
from keras_attention.decoding.length_penalty import require_growing_penalty


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """All that shapes a search for translations, checked when it is given.

    A length counts tokens with END, and without START. It is an int for all sentences,
    or a pair (a, b): a times the tokens of the source with its END, and b more.

    Args:
        beam_size: K, hypotheses kept for each sentence; 1 is the quickest.
        length_penalty: Exponent of the length that scores are divided by, at least 0;
            more favours longer sentences.
        length_offset: What is added to a length before that, tokens, at least 0: 5 in
            the paper; 0 divides by the length itself, as Marian does.
        complete: Search on until nothing better can come; False does as Hugging Face's
            search: see `beam_search`.
        coverage_penalty: Weight (beta in the paper) of the score's penalty for source
            tokens that were looked at too little, at least 0.
        max_length: Most tokens of a translation.
        min_length: Fewest tokens of a translation.
        no_repeat_ngram_size: No so many tokens in a row appear twice; 0 allows it.
        repetition_penalty: Factor, at least 1, of the log probability of a token that
            was used before.
        suppressed_tokens: Ids of tokens that never appear.
        renormalize: Share the probability of tokens that these settings forbid out
            among the others.

    Raises:
        ValueError: For a setting out of its range, or a minimum above the maximum.

    Source:
        Beam 4, penalty 0.6 and source length + 50: Vaswani et al., 2017, section 6.1.
        Penalties: Wu et al., 2016, section 7.
    """

    beam_size: int = 4
    length_penalty: float = 0.6
    length_offset: float = 5.0
    complete: bool = True
    coverage_penalty: float = 0.0
    max_length: int | tuple[float, int] = (1.0, 50)
    min_length: int | tuple[float, int] = 0
    no_repeat_ngram_size: int = 0
    repetition_penalty: float = 1.0
    suppressed_tokens: tuple[int, ...] = ()
    renormalize: bool = False

    def __post_init__(self):
        for name in ("max_length", "min_length", "suppressed_tokens"):
            value = getattr(self, name)  # a list, where it comes from JSON
            object.__setattr__(self, name, tuple(value) if is_list(value) else value)
        require_beams(self.beam_size, 1)
        require_growing_penalty(self.length_penalty, self.length_offset)
        require_coverage_penalty(self.coverage_penalty)
        require_lengths(self.max_length, self.min_length)
        if self.no_repeat_ngram_size:
            forbid_repeated_ngrams(self.no_repeat_ngram_size)
        penalize_repetition(self.repetition_penalty)
        if self.suppressed_tokens:
            suppress_tokens(self.suppressed_tokens)

    def max_lengths(self, source_lengths):
        """The most tokens of each translation, START included: (B,) -> (B,), int32."""
        return 1 + ops.maximum(lengths(self.max_length, source_lengths), 1)

    def min_lengths(self, source_lengths):
        """The fewest tokens of each translation, START included: (B,), int32."""
        fewest = 1 + lengths(self.min_length, source_lengths)
        return ops.minimum(fewest, self.max_lengths(source_lengths))

    def constraints(self, source_lengths, prefix_ids=None):
        """What the searches may not do.

        Args:
            source_lengths: (B,), int32; tokens of each source, END included.
            prefix_ids: (B, P), int32, what each translation begins with, or None.

        Returns:
            A list of constraints; an empty one where everything is allowed.
        """
        found = []
        if self.suppressed_tokens:
            found.append(suppress_tokens(self.suppressed_tokens))
        if self.repetition_penalty != 1:
            found.append(penalize_repetition(self.repetition_penalty))
        if self.no_repeat_ngram_size:
            found.append(forbid_repeated_ngrams(self.no_repeat_ngram_size))
        if self.min_length != 0:
            found.append(forbid_end_before(self.min_lengths(source_lengths)))
        if prefix_ids is not None:
            found.append(force_prefix(prefix_ids))
        return found


def is_list(value):
    return isinstance(value, (list, tuple))


def ratio_and_offset(length):
    """A length in tokens -> the pair (a, b) that it stands for."""
    return length if is_list(length) else (0.0, length)


def lengths(length, source_lengths):
    """A length, as an int or a pair, for sources of these lengths: (B,), int32."""
    ratio, offset = ratio_and_offset(length)
    scaled = ops.cast(source_lengths, "float32") * ratio
    return ops.cast(scaled, "int32") + offset


def require_lengths(max_length, min_length):
    """Raise ValueError unless each source leaves room between minimum and maximum."""
    for name, length in (("max_length", max_length), ("min_length", min_length)):
        pair = ratio_and_offset(length)
        if len(pair) != 2 or not (is_number(pair[0]) and isinstance(pair[1], int)):
            raise ValueError(
                f"SearchSettings: got {name}={length!r}, but a length is a number of "
                f"tokens, or a pair (a, b): a times the source's tokens, and b more. "
                f"Use an int, or such a pair."
            )
    (ratio, offset), (least, extra) = map(ratio_and_offset, (max_length, min_length))
    if ratio < 0 or ratio + offset < 1:
        raise ValueError(
            f"SearchSettings: got max_length={max_length!r}, but a translation needs "
            f"room for END at least, whatever its source. Use 1 or more; in a pair, a "
            f"ratio of 0 or more, and together 1 or more."
        )
    # The shortest source has one token, END; the longest decides by the ratios.
    if least < 0 or least > ratio or least + extra > ratio + offset:
        raise ValueError(
            f"SearchSettings: got min_length={min_length!r} and "
            f"max_length={max_length!r}, but then some source would have to have a "
            f"translation longer than it may be. Use a smaller min_length, or a larger "
            f"max_length."
        )


def is_number(value):
    return isinstance(value, (int, float)) and math.isfinite(value)


def require_coverage_penalty(coverage_penalty):
    """Raise ValueError unless the penalty's weight is 0 or more."""
    if not 0 <= coverage_penalty < math.inf:
        raise ValueError(
            f"SearchSettings: got coverage_penalty={coverage_penalty}, but it weighs a "
            f"penalty, and below 0 that would reward what was left out. Use 0 or more; "
            f"0.2 is usual."
        )
