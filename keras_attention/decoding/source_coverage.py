"""Where the decoder has looked (R, S) -> a penalty for what it left out (R,)."""

from keras import ops

# Below this, a token counts as looked at this much: the logarithm of 0 is -inf, and
# one ignored token would then outweigh everything else.
LEAST_COVERAGE = 1e-3


def start_coverage(padding_mask):
    """Nothing was looked at yet; padding, which has no claim, counts as covered.

    Args:
        padding_mask: (B, S), bool; False for padding.

    Returns:
        (B, S), float32.
    """
    return ops.where(padding_mask, 0.0, 1.0)


def extend_coverage(coverage, maps):
    """Add what the newest token looked at.

    Args:
        coverage: (R, S), float32.
        maps: For each layer the weights (R, N, S).

    Returns:
        (R, S), float32; the weights are averaged over layers and heads.
    """
    means = [ops.mean(ops.cast(weights, "float32"), axis=1) for weights in maps]
    return coverage + sum(means) / len(means)


def coverage_penalty(coverage, weight):
    """Penalize a translation for each source token that it looked at too little.

    cp = weight * sum over the source of log(min(coverage, 1)): 0 where each token was
    looked at for a whole token's worth, and less otherwise.

    Args:
        coverage: (R, S), float32; sums over the target's tokens.
        weight: beta in the paper, at least 0; 0.2 is usual.

    Returns:
        (R,), float32, at most 0.

    Source:
        Wu et al., 2016, section 7, equation 14. Departures: its p_ij are those of the
        one attention of its model, here means over all layers and heads;
        a coverage below 0.001 counts as that much.
    """
    return weight * ops.sum(ops.log(ops.clip(coverage, LEAST_COVERAGE, 1.0)), axis=-1)


def covering(model):
    """Let a model keep count of what it has looked at.

    Args:
        model: A `Transformer`, or a `RecurrentSeq2Seq` with attention.

    Returns:
        next_logits: `(ids, step, (cache, coverage), memory)`, as a search takes it; the
            coverage (R, S) starts as `start_coverage` and follows its hypothesis.
    """

    def next_logits(ids, step, cache, memory):
        cache, coverage = cache
        token_ids = ops.take(ids, step, axis=1)
        logits, cache, maps = model.step(token_ids, cache, step, memory)
        return model.forbid(logits), (cache, extend_coverage(coverage, maps))

    return next_logits
