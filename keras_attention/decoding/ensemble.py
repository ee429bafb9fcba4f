"""What several models expect next -> what they expect together."""

from collections.abc import Sequence

from keras_attention.models.ensemble_model import mean_log_probs


def ensemble(members: Sequence[tuple]):
    """Present several functions to the next logits to a search as one.

    The probability of a token is the mean of the probabilities that the members
    give to it, log(1/n sum_i softmax(logits_i)). An `Ensemble` is that as a model, for
    strings and for an export.

    Args:
        members: Sequence of `(next_logits, start_ids, cache)`, as
            `Transformer.start_search` returns them, of models over one vocabulary
            and for the same sentences.

    Returns:
        next_logits: `(ids (R, T), step, caches) -> (log_probs (R, V), caches)`, in
            float32.
        start_ids: (B,), int32; of the first member.
        caches: List of the members' caches.

    Raises:
        ValueError: There are no members; or, when next_logits is first called, their
            vocabularies differ in size.

    Source:
        The ensembles of fairseq (Ott et al., 2019). Departures: none. A mean of log
        probabilities, which some toolkits take, would let one member veto a token.

    Example:

    >>> members = [model.start_search(source_ids, 20) for _ in range(2)]
    >>> next_logits, start_ids, caches = ensemble(members)
    >>> ids = greedy_search(next_logits, start_ids, max_length=20, cache=caches)
    """
    members = list(members)
    if not members:
        raise ValueError(
            "ensemble: got members=[], but there must be a model to search with. Give "
            "at least one (next_logits, start_ids, cache), as start_search returns it."
        )
    functions, start_ids, caches = zip(*members)

    def next_logits(ids, step, caches):
        answers = [call(ids, step, cache) for call, cache in zip(functions, caches)]
        logits, caches = zip(*answers)
        require_one_vocabulary([member.shape[-1] for member in logits])
        return mean_log_probs(logits), list(caches)

    return next_logits, start_ids[0], list(caches)


def require_one_vocabulary(sizes):
    """Raise ValueError if vocabularies known in advance differ in size."""
    if len(set(sizes)) > 1:
        raise ValueError(
            f"ensemble: got members over vocabularies of {sizes} tokens, but a token's "
            "probability is averaged over all of them. Use models that were trained "
            "with the same target tokenizer."
        )
