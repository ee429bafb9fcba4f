"""What a model expects next -> its most likely sentences, K at a time.

`start` one hypothesis for each sentence; `expand` the K hypotheses to 2K
candidates; `keep_finished` and `keep_alive` the best of these; `retire` the
sentences that cannot improve any more; when nobody is alive, `finish`.

A score of -inf says that there is no such hypothesis. It stays -inf whatever is
added to it, and is never subtracted from itself, so nothing becomes NaN.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops, tree

from keras_attention.decoding.token_buffer import (
    limits_or_default,
    must_end,
    require_one_per_sentence,
    require_room,
    start_buffer,
    write_token,
)
from keras_attention.decoding.top_k import top_k
from keras_attention.special_tokens import END, PAD


class Hypotheses(NamedTuple):
    """The best sentences that a search found, best first.

    Attributes:
        ids: (B, n_best, T), int32; PAD after the end of each sentence. Where there
            are fewer than n_best sentences, the rest is PAD after the first
            token.
        scores: (B, n_best), float32; log probability in nats divided by the length
            penalty, -inf where there is no sentence.
    """

    ids: Any
    scores: Any


class BeamState(NamedTuple):
    """All that one step of the search hands to the next."""

    step: Any  # (), position of the newest token
    ids: Any  # (B, K, T), the hypotheses that are alive
    log_probs: Any  # (B, K), -inf for one that is not
    finished_ids: Any  # (B, n_best, T)
    finished_scores: Any  # (B, n_best), divided by the length penalty, best first
    cache: Any  # each tensor with B * K rows


class Candidates(NamedTuple):
    """The ways to go on that are looked at, best first."""

    log_probs: Any  # (B, 2K), of all tokens up to the new one
    beams: Any  # (B, 2K), which hypothesis goes on
    tokens: Any  # (B, 2K), with which token


def beam_search(
    next_logits: Callable,
    start_ids,
    *,
    end_id: int = END,
    max_length: int,
    beam_size: int = 4,
    length_penalty: float = 0.6,
    n_best: int = 1,
    length_limits=None,
    cache=(),
) -> Hypotheses:
    """Find the likeliest sentences by keeping the K best beginnings at each step.

    The hypotheses that are alive have equal lengths and are ranked by log P(y).
    Those that have ended are ranked by their score,

        log P(y) / ((5 + |y|) / 6) ** length_penalty,

    where |y| counts the tokens after the first one, with the last one, and are
    never touched again. A sentence is done when none of its hypotheses that are
    alive could still reach the n_best best scores, which loses nothing: log P(y)
    can only fall, and the penalty is largest at the limit of the length.

    Args:
        next_logits: `(ids (R, T), step, cache) -> (logits (R, V), cache)`; the model,
            seen only through what it expects to follow position `step` (0 at
            first). There are R = B * K rows, the K hypotheses of a sentence next
            to each other, and `ids` is PAD after that position. A logit of -inf
            forbids its token. What is the same for all hypotheses of a sentence
            need not be in the cache.
        start_ids: (B,), int32; the first token of each sentence.
        end_id: Token that ends a sentence.
        max_length: Length T of the result in tokens, the first and the last one
            included, at least 2. On TensorFlow also a scalar tensor.
        beam_size: Hypotheses K kept alive for each sentence.
        length_penalty: Exponent (alpha in the paper), at least 0; 0 ranks by log
            probability, and more favours longer sentences.
        n_best: Sentences returned for each one that is started, at most
            `beam_size`.
        length_limits: (B,), int32; each sentence's own maximum, counted like
            `max_length`, so that its result does not depend on what else is in
            the batch. The last token that a limit allows is `end_id`, with the
            log probability that the model gives to it.
        cache: Any nested structure of tensors with B rows. Each row is repeated K
            times at the start and then follows its hypothesis; shapes and
            dtypes stay the same from step to step.

    Returns:
        `Hypotheses(ids (B, n_best, T), scores (B, n_best))`, best first, all of
        them whole sentences.

    Raises:
        ValueError: `beam_size` below 1; `n_best` below 1 or above `beam_size`;
            `length_penalty` below 0; `max_length` below 2; `start_ids` or
            `length_limits` not of shape (B,).

    Source:
        Wu et al., 2016, section 7, equation 14, without its coverage penalty and
        its pruning by distance from the best hypothesis. That hypotheses which
        are alive and which have ended do not compete for the same K places is
        the idea of Tensor2Tensor's search.
    """
    require_beams(beam_size, n_best)
    require_growing_penalty(length_penalty)
    require_room("beam_search", max_length)
    start_ids = ops.convert_to_tensor(start_ids, dtype="int32")
    require_one_per_sentence("beam_search", "start_ids", start_ids)
    limits = limits_or_default(length_limits, start_ids, max_length)
    require_one_per_sentence("beam_search", "length_limits", limits)

    def anyone_alive(*state):
        return ops.any(BeamState(*state).log_probs > -math.inf)

    def advance(*state):
        state = BeamState(*state)
        rows = ops.reshape(state.ids, (-1, ops.shape(state.ids)[-1]))  # (B * K, T)
        logits, cache = next_logits(rows, state.step, state.cache)
        ending = must_end(state.step, limits)
        candidates = expand(state.log_probs, logits, ending, end_id)
        state = state._replace(cache=cache)
        finished_ids, finished_scores = keep_finished(
            state, candidates, end_id, length_penalty
        )
        ids, log_probs, cache = keep_alive(state, candidates, end_id)
        log_probs = retire(log_probs, finished_scores, limits, length_penalty)
        return BeamState(
            state.step + 1, ids, log_probs, finished_ids, finished_scores, cache
        )

    state = start(start_ids, max_length, beam_size, n_best, cache)
    return finish(BeamState(*ops.while_loop(anyone_alive, advance, state)))


def start(start_ids, max_length, beam_size, n_best, cache):
    """One hypothesis that is alive for each sentence, and none that has ended."""
    batch = ops.shape(start_ids)[0]
    ids = start_buffer(start_ids, max_length)[:, None]  # (B, 1, T)
    length = ops.shape(ids)[-1]
    # The K hypotheses are still the same one: only the first may go on.
    log_probs = ops.where(ops.arange(beam_size) == 0, 0.0, -math.inf)
    log_probs = ops.cast(log_probs, "float32")  # (K,)
    first_rows = ops.zeros((batch, beam_size), dtype="int32")
    return BeamState(
        step=ops.convert_to_tensor(0, dtype="int32"),
        ids=ops.broadcast_to(ids, (batch, beam_size, length)),
        log_probs=ops.broadcast_to(log_probs, (batch, beam_size)),
        finished_ids=ops.broadcast_to(ids, (batch, n_best, length)),
        finished_scores=ops.full((batch, n_best), -math.inf, dtype="float32"),
        cache=gather_cache(cache, first_rows, rows_per_sentence=1),
    )


def expand(log_probs, logits, ending, end_id):
    """Find the best 2K ways in which the K hypotheses of each sentence go on.

    At most K of them end, one for each hypothesis, so at least K do not. They
    are sought in two steps, inside each hypothesis and then among what that
    gave; ranking logits is ranking probabilities there, and saves normalising
    all V of them.

    Args:
        log_probs: (B, K), of the hypotheses that are alive.
        logits: (B * K, V), for what follows each of them.
        ending: (B,), True where only `end_id` may follow.
        end_id: Token that ends a sentence.

    Returns:
        `Candidates`.
    """
    beam_size, vocab_size = log_probs.shape[1], logits.shape[-1]
    width = min(2 * beam_size, vocab_size)
    logits = ops.cast(logits, "float32")
    best, tokens = top_k(logits, width)  # (B * K, W)
    best = ops.reshape(best, (-1, beam_size, width))  # (B, K, W)
    tokens = ops.reshape(tokens, (-1, beam_size, width))  # (B, K, W)

    only_end = ops.where(ops.arange(width) == 0, logits[:, end_id, None], -math.inf)
    only_end = ops.reshape(only_end, (-1, beam_size, width))  # (B, K, W)
    best = ops.where(ending[:, None, None], only_end, best)
    tokens = ops.where(ending[:, None, None], end_id, tokens)

    normalizer = ops.reshape(ops.logsumexp(logits, axis=-1), (-1, beam_size, 1))
    totals = log_probs[:, :, None] + never_positive(best - normalizer)
    totals = ops.reshape(totals, (-1, beam_size * width))
    totals, chosen = top_k(totals, 2 * beam_size)  # (B, 2K)
    tokens = ops.reshape(tokens, (-1, beam_size * width))
    return Candidates(totals, chosen // width, gather_beams(tokens, chosen))


def never_positive(log_probs):
    """Turn differences of logits into log probabilities: 0 at most, -inf for NaN.

    Rounding may lift a sure token above 0, and `retire` relies on log P(y) never
    rising. A row where all tokens are forbidden gives -inf - -inf.
    """
    return ops.where(log_probs > -math.inf, ops.minimum(log_probs, 0.0), -math.inf)


def keep_finished(state, candidates, end_id, length_penalty):
    """Let the candidates that end compete with those that have ended before.

    Returns:
        ids (B, n_best, T) and scores (B, n_best) of the best, best first.
    """
    n_best = state.finished_scores.shape[1]
    scores = penalize(candidates.log_probs, state.step + 1, length_penalty)
    scores = ops.where(candidates.tokens == end_id, scores, -math.inf)
    scores = ops.concatenate([state.finished_scores, scores], axis=1)
    scores, chosen = top_k(scores, n_best)  # (B, n_best)

    unchanged = ops.broadcast_to(
        ops.arange(n_best, dtype="int32"), ops.shape(state.finished_scores)
    )
    sources = ops.concatenate([unchanged, n_best + candidates.beams], axis=1)
    ids = ops.concatenate([state.finished_ids, state.ids], axis=1)
    ids = gather_beams(ids, gather_beams(sources, chosen))  # (B, n_best, T)
    last_tokens = ops.where(chosen >= n_best, end_id, PAD)
    return write_token(ids, state.step + 1, last_tokens), scores


def keep_alive(state, candidates, end_id):
    """Go on with the best K candidates that do not end.

    Returns:
        ids (B, K, T), log probabilities (B, K), and the cache, whose rows have
        followed their hypotheses.
    """
    beam_size = state.log_probs.shape[1]
    log_probs = ops.where(candidates.tokens == end_id, -math.inf, candidates.log_probs)
    log_probs, chosen = top_k(log_probs, beam_size)  # (B, K)
    beams = gather_beams(candidates.beams, chosen)
    tokens = gather_beams(candidates.tokens, chosen)
    ids = write_token(gather_beams(state.ids, beams), state.step + 1, tokens)
    return ids, log_probs, gather_cache(state.cache, beams, beam_size)


def retire(log_probs, finished_scores, limits, length_penalty):
    """Set all to -inf for sentences whose n_best best can not be overtaken."""
    best = ops.max(log_probs, axis=1)  # (B,)
    reachable = penalize(best, limits - 1, length_penalty)
    done = ops.min(finished_scores, axis=1) >= reachable
    return ops.where(done[:, None], -math.inf, log_probs)


def finish(state):
    """Return what has ended, with nothing but PAD where there is no sentence."""
    exists = state.finished_scores[:, :, None] > -math.inf
    first = ops.arange(ops.shape(state.finished_ids)[-1]) == 0
    ids = ops.where(ops.logical_or(exists, first), state.finished_ids, PAD)
    return Hypotheses(ids, state.finished_scores)


def penalize(log_probs, length, length_penalty):
    """log P(y), |y| -> the score that hypotheses of all lengths are ranked by."""
    length = ops.cast(length, "float32")
    return log_probs / ((5.0 + length) / 6.0) ** length_penalty


def gather_beams(x, beams):
    """Choose rows of each sentence: (B, M, ...), (B, N) -> (B, N, ...)."""
    inner = ops.shape(x)[2:]
    rows = ops.reshape(x, (-1, *inner))  # (B * M, ...)
    rows = ops.take(rows, row_numbers(beams, x.shape[1]), axis=0)  # (B * N, ...)
    return ops.reshape(rows, (-1, beams.shape[1], *inner))


def gather_cache(cache, beams, rows_per_sentence):
    """Choose rows as `gather_beams` does, in tensors (B * M, ...)."""
    rows = row_numbers(beams, rows_per_sentence)
    return tree.map_structure(lambda leaf: ops.take(leaf, rows, axis=0), cache)


def row_numbers(beams, rows_per_sentence):
    """Count over all sentences what is counted inside each: (B, N) -> (B * N,)."""
    sentences = ops.arange(ops.shape(beams)[0], dtype="int32")[:, None]
    return ops.reshape(sentences * rows_per_sentence + beams, (-1,))


def require_beams(beam_size, n_best):
    """Raise ValueError unless 1 <= n_best <= beam_size."""
    if beam_size < 1:
        raise ValueError(
            f"beam_search: got beam_size={beam_size}, but at least one hypothesis "
            "must be kept alive. Use a beam_size of at least 1."
        )
    if not 1 <= n_best <= beam_size:
        raise ValueError(
            f"beam_search: got n_best={n_best} and beam_size={beam_size}, but a search "
            "that keeps beam_size hypotheses is good for as many sentences at most. "
            f"Use an n_best from 1 to {beam_size}, or a wider beam."
        )


def require_growing_penalty(length_penalty):
    """Raise ValueError unless longer sentences are divided by more."""
    if not length_penalty >= 0:
        raise ValueError(
            f"beam_search: got length_penalty={length_penalty}, but below 0 it would "
            "favour short sentences even more than their log probability does, and "
            "no score would tell when to stop. Use 0 or more; 0 does not normalise."
        )
