"""Tokens of an update -> batches whose gradients an optimizer adds up for it."""


def accumulation_steps(update_tokens: int, batch_tokens: int) -> int | None:
    """Count the batches that make up one update of the weights.

    It is the `gradient_accumulation_steps` of Keras's optimizers, which hold the
    weights still for k batches and then update them by the mean of the k gradients:
    an update of `update_tokens` in the memory of `batch_tokens`. Keras counts so:

    * Schedules are asked with the number of batches, not of updates. The rates of
      `WarmupSchedule(d_model, warmup_steps, scale)` come at the same updates from
      `WarmupSchedule(d_model, k * warmup_steps, k**0.5 * scale)`.
    * Adam's bias correction counts updates. The average of `use_ema` takes in the
      weights after every batch: for momentum m an update, give it m ** (1 / k).
    * `MaskedCrossentropy` is a mean over the real tokens of its batch. Where all k
      batches have n of them, the update is that of one batch of k * n, to rounding.
      Where they differ, a token in a batch of n weighs mean(n) / n of what it would in
      one large batch. In batches of 4,096 tokens by `TokenBatches` of Multi30k, counted
      in words, that is 0.97 to 1.30, and at most 1.07 in 95 % of them.
    * Epochs and `fit` may end in the middle of a group: the optimizer keeps, and saves,
      what it has added up. Of a last group that never becomes whole nothing is
      applied; none is left over where k divides epochs * batches.

    Args:
        update_tokens: Tokens that an update must be of, at least.
        batch_tokens: Tokens in a batch.

    Returns:
        k, at least 2; None, which Keras wants for no accumulation, where one batch has
        enough.

    Raises:
        ValueError: a number of tokens is below 1.

    Example:

    >>> accumulation_steps(update_tokens=25_000, batch_tokens=4096)
    7
    """
    for name, tokens in {
        "update_tokens": update_tokens,
        "batch_tokens": batch_tokens,
    }.items():
        if tokens < 1:
            raise ValueError(
                f"accumulation_steps: got {name}={tokens}, but a batch and an update "
                "have at least 1 token. Give the number of tokens."
            )
    batches = -(-int(update_tokens) // int(batch_tokens))
    return batches if batches > 1 else None
