"""log P(y), |y| -> the score that ranks translations of all lengths."""

import math

from keras import ops


def penalize(log_probs, length, length_penalty, length_offset=5.0):
    """log P(y), |y| -> the score that hypotheses of all lengths are ranked by.

        log P(y) / ((offset + |y|) / (offset + 1)) ** length_penalty

    Args:
        log_probs: log P(y), nats.
        length: |y|, tokens, of the same shape or broadcastable; without an offset 0
            counts as 1.
        length_penalty: Exponent (alpha in the paper), at least 0.
        length_offset: What is added to a length, tokens, at least 0: 5 in the paper. 0
            divides by |y| ** length_penalty, as Marian and Hugging Face do.

    Returns:
        The scores, float32.

    Source:
        Wu et al., 2016, section 7, equation 14; there the offset is always 5.
    """
    length = ops.cast(length, "float32")
    if not length_offset:
        length = ops.maximum(length, 1.0)
    return log_probs / ((length_offset + length) / (length_offset + 1)) ** (
        length_penalty
    )


def require_growing_penalty(length_penalty, length_offset=5.0):
    """Raise ValueError unless longer sentences are divided by more."""
    if not 0 <= length_penalty < math.inf:
        raise ValueError(
            f"beam_search: got length_penalty={length_penalty}, but below 0 it would "
            "favour short sentences even more than their log probability does, and "
            "no score would tell when to stop, and infinity makes all scores the "
            "same. Use 0 or more; 0 does not normalise."
        )
    if not 0 <= length_offset < math.inf:
        raise ValueError(
            f"beam_search: got length_offset={length_offset}, but it is added to "
            "lengths before they are compared, and these must stay positive. Use 0 "
            "or more; 5 is the paper's, 0 Marian's."
        )
