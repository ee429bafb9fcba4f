"""Logits (B, T, V), labels (B, T) -> how likely each of the sentences is."""

from typing import Any, NamedTuple

from keras import ops

from keras_attention.decoding.length_penalty import penalize
from keras_attention.layers.requirements import require_rank
from keras_attention.special_tokens import PAD


class Scores(NamedTuple):
    """How likely given sentences are.

    Attributes:
        log_probs: (B,), float32; log P(y) in nats.
        scores: (B,), float32; the same divided by the length penalty, by which
            sentences of all lengths are ranked.
    """

    log_probs: Any
    scores: Any


def score(
    logits, labels, length_penalty: float = 0.6, length_offset: float = 5.0
) -> Scores:
    """Score given sentences as `beam_search` scores those that it finds.

    log P(y) is the sum of log softmax(logits) at the labels that are not `PAD`, and
    the score is log P(y) / ((offset + |y|) / (offset + 1)) ** length_penalty, where
    |y| is their number. So for the sentence START a b END the labels are a b END, and
    |y| is 3.

    Args:
        logits: (B, T, V), float; computed on in float32. They score what the search
            scores only if they are what it gets: `Transformer.start_search` leaves
            no probability to `PAD` and START, and the model's output does.
        labels: (B, T), int; the tokens after the first one, END included, and `PAD`
            after that. Whatever the logits say there counts for nothing.
        length_penalty: Exponent (alpha in the paper), at least 0.
        length_offset: What is added to a length, tokens; 5 in the paper.

    Returns:
        `Scores(log_probs (B,), scores (B,))`, both 0 where there is no label.

    Raises:
        ValueError: `logits` not of rank 3 or `labels` not of rank 2; or they differ
            in length.

    Source:
        Wu et al., 2016, section 7, equation 14, without its coverage penalty.
    """
    labels = ops.convert_to_tensor(labels, dtype="int32")
    logits = ops.cast(logits, "float32")
    require_rank("score", 3, logits=logits.shape)
    require_rank("score", 2, labels=labels.shape)
    require_equal_length(logits.shape[1], labels.shape[1])

    label_logits = ops.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    log_probs = label_logits - ops.logsumexp(logits, axis=-1)  # (B, T)
    real = labels != PAD
    log_probs = ops.sum(ops.where(real, log_probs, 0.0), axis=1)  # (B,)
    lengths = ops.sum(ops.cast(real, "int32"), axis=1)  # (B,)
    scores = penalize(log_probs, lengths, length_penalty, length_offset)
    return Scores(log_probs, scores)


def require_equal_length(logits_length, labels_length):
    """Raise ValueError if two lengths known in advance differ."""
    if None not in (logits_length, labels_length) and logits_length != labels_length:
        raise ValueError(
            f"score: got logits for {logits_length} positions and labels for "
            f"{labels_length}, but the logits of a position score its label. Leave "
            f"START out of the labels, and END out of what the model is given."
        )
