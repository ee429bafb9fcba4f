"""What a model expects next -> its most likely sentences, K at a time.

`start` one hypothesis for each sentence; `expand` the K hypotheses to 2K
candidates; `keep_finished` and `keep_alive` the best of these; `retire` the
sentences that cannot improve any more, and `drop` them where that is asked for;
`follow` those that go on. When nobody is alive, `finish`.

A score of -inf says that there is no such hypothesis. It stays -inf whatever is
added to it, and is never subtracted from itself, so nothing becomes NaN.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keras import ops

from keras_attention.decoding.constraints import apply_constraints
from keras_attention.decoding.length_penalty import (
    penalize,
    require_growing_penalty,
)
from keras_attention.decoding.rows import (
    all_sentences,
    gather_beams,
    lay_aside,
    row_numbers,
    take_rows,
)
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
        scores: (B, n_best), float32; what the sentences are ranked by: the log
            probability divided by the length penalty, and the final penalty
            added. -inf where there is no sentence.
        log_probs: (B, n_best), float32; the log probability alone, in nats: the sum
            over the tokens after the first one, END included. Tokens that a
            constraint forbids take no probability away from the others.
    """

    ids: Any
    scores: Any
    log_probs: Any


class BeamState(NamedTuple):
    """All that one step of the search hands to the next.

    A of the B sentences are searched for: all, unless those that are done are dropped.
    """

    step: Any  # (), position of the newest token
    sentences: Any  # (A,), which of the B sentences
    limits: Any  # (A,), the most tokens that each may have
    ids: Any  # (A, K, T), the hypotheses that are alive
    log_probs: Any  # (A, K), -inf for one that is not
    finished: Hypotheses  # (A, n_best or K, ...), those that have ended, best first
    results: Hypotheses  # (B, n_best or K, ...), of the sentences that were dropped
    cache: Any  # each tensor with A * K rows
    memory: Any  # each tensor with A rows


class Candidates(NamedTuple):
    """The ways to go on that are looked at, best first."""

    log_probs: Any  # (A, 2K), of all tokens up to the new one
    beams: Any  # (A, 2K), which hypothesis goes on
    tokens: Any  # (A, 2K), with which token


class Alive(NamedTuple):
    """The hypotheses to go on with."""

    log_probs: Any  # (A, K), -inf for one that is none
    rows: Any  # (A, K), which of the A * K rows goes on
    tokens: Any  # (A, K), with which token


def beam_search(
    next_logits: Callable,
    start_ids,
    *,
    end_id: int = END,
    max_length: int,
    beam_size: int = 4,
    length_penalty: float = 0.6,
    length_offset: float = 5.0,
    complete: bool = True,
    n_best: int = 1,
    length_limits=None,
    constraints: Sequence[Callable] = (),
    renormalize: bool = False,
    final_penalty: Callable | None = None,
    cache=(),
    memory=None,
    drop_done: bool = False,
) -> Hypotheses:
    """Find the likeliest sentences by keeping the K best beginnings at each step.

    The hypotheses that are alive have equal lengths and are ranked by log P(y).
    Those that have ended are ranked by their score,

        log P(y) / ((offset + |y|) / (offset + 1)) ** length_penalty + final penalty,

    where |y| counts the tokens after the first one, with the last one, and are
    never touched again. A sentence is done when none of its hypotheses that are
    alive could still reach the n_best best scores, which loses nothing: log P(y)
    can only fall, the length penalty is largest at the limit of the length, and
    the final penalty is never above 0.

    With `complete=False` it does what Hugging Face's search does by default, to find
    the same sentences: one that ends counts only if it is among the K best
    candidates of its step, and the END that the limit forces costs nothing; and a
    sentence is done as soon as K hypotheses have ended of which the worst scores no
    less than the best one alive would if it ended at its present length.

    Args:
        next_logits: `(ids (R, T), step, cache) -> (logits (R, V), cache)`; the model,
            seen only through what it expects to follow position `step` (0 at
            first). There are R = B * K rows, the K hypotheses of a sentence next
            to each other, and `ids` is PAD after that position. A logit of -inf
            forbids its token. With a `memory` it is called with that as fourth
            argument.
        start_ids: (B,), int32; the first token of each sentence.
        end_id: Token that ends a sentence.
        max_length: Length T of the result in tokens, the first and the last one
            included, at least 2. On TensorFlow also a scalar tensor.
        beam_size: Hypotheses K kept alive for each sentence.
        length_penalty: Exponent (alpha in the paper), at least 0; 0 ranks by log
            probability, and more favours longer sentences.
        length_offset: What is added to a length, tokens, at least 0; 5 in the paper.
        complete: Search on until nothing better can come; False stops earlier, as
            described above.
        n_best: Sentences returned for each one that is started, at most
            `beam_size`.
        length_limits: (B,), int32; each sentence's own maximum, counted like
            `max_length`, so that its result does not depend on what else is in
            the batch. The last token that a limit allows is `end_id`, with the
            log probability that the model gives to it, whatever is forbidden.
        constraints: Functions that forbid tokens; see `forbid_repeated_ngrams` and
            its neighbours.
        renormalize: Share the probability of what they forbid out among the rest.
        final_penalty: `(cache) -> (R,)`, at most 0: added to the score of a hypothesis
            if it ends now; see `coverage_penalty`.
        cache: Any nested structure of tensors with B rows. Each row is repeated K
            times at the start and then follows its hypothesis; dtypes stay the same
            from step to step, and so do shapes, except where the backend's loops
            let tensors grow.
        memory: The same, for what all hypotheses of a sentence share: its rows are
            neither repeated nor changed.
        drop_done: Search on for those sentences only that are not done: the others'
            rows leave all tensors. It changes no result, and needs a backend whose
            loops let tensors shrink: TensorFlow or torch, not JAX.

    Returns:
        `Hypotheses(ids (B, n_best, T), scores (B, n_best), log_probs (B, n_best))`,
        best first, all of them whole sentences.

    Raises:
        ValueError: `beam_size` below 1; `n_best` below 1 or above `beam_size`;
            `length_penalty` or `length_offset` below 0; `max_length` below 2;
            `start_ids` or `length_limits` not of shape (B,).

    Source:
        Wu et al., 2016, section 7, equation 14, without its pruning by distance from
        the best hypothesis. That hypotheses which are alive and which have ended do
        not compete for the same K places is the idea of Tensor2Tensor's search.
    """
    require_beams(beam_size, n_best)
    require_growing_penalty(length_penalty, length_offset)
    require_room("beam_search", max_length)
    start_ids = ops.convert_to_tensor(start_ids, dtype="int32")
    require_one_per_sentence("beam_search", "start_ids", start_ids)
    limits = limits_or_default(length_limits, start_ids, max_length)
    require_one_per_sentence("beam_search", "length_limits", limits)
    shared = () if memory is None else (memory,)
    kept = n_best if complete else beam_size

    def scored(log_probs, length):
        return penalize(log_probs, length, length_penalty, length_offset)

    def anyone_alive(*state):
        return ops.any(BeamState(*state).log_probs > -math.inf)

    def advance(*state):
        state = BeamState(*state)
        rows = ops.reshape(state.ids, (-1, ops.shape(state.ids)[-1]))  # (A * K, T)
        logits, cache = next_logits(rows, state.step, state.cache, *state.memory)
        state = state._replace(cache=cache)
        candidates = expand(
            state, logits, end_id, constraints, renormalize, free_end=not complete
        )
        penalties = None if final_penalty is None else final_penalty(cache)
        counted = None if complete else beam_size
        finished = keep_finished(state, candidates, end_id, scored, penalties, counted)
        alive = keep_alive(candidates, end_id, beam_size)
        longest = state.limits - 1 if complete else state.step + 1
        alive = retire(alive, finished.scores, longest, scored)
        state = state._replace(finished=finished)
        return follow(*drop(state, alive)) if drop_done else follow(state, alive)

    state = start(start_ids, limits, max_length, beam_size, kept, cache, shared)
    if drop_done:
        state = with_any_number(state, start_ids)
    state = BeamState(*ops.while_loop(anyone_alive, advance, state))
    found = state.results if drop_done else state.finished
    if kept > n_best:
        found = Hypotheses(*(values[:, :n_best] for values in found))
    return finish(found)


def start(start_ids, limits, max_length, beam_size, kept, cache=(), memory=()):
    """One hypothesis that is alive for each sentence, and none that has ended.

    There is room for as many that have as are `kept`.
    """
    batch = ops.shape(start_ids)[0]
    ids = start_buffer(start_ids, max_length)[:, None]  # (B, 1, T)
    length = ops.shape(ids)[-1]
    # The K hypotheses are still the same one: only the first may go on.
    log_probs = ops.where(ops.arange(beam_size) == 0, 0.0, -math.inf)
    log_probs = ops.cast(log_probs, "float32")  # (K,)
    none = ops.full((batch, kept), -math.inf, dtype="float32")
    finished = Hypotheses(ops.broadcast_to(ids, (batch, kept, length)), none, none)
    first_rows = row_numbers(ops.zeros((batch, beam_size), dtype="int32"), 1)
    return BeamState(
        step=ops.convert_to_tensor(0, dtype="int32"),
        sentences=ops.arange(batch, dtype="int32"),
        limits=limits,
        ids=ops.broadcast_to(ids, (batch, beam_size, length)),
        log_probs=ops.broadcast_to(log_probs, (batch, beam_size)),
        finished=finished,
        results=finished,
        cache=take_rows(cache, ops.reshape(first_rows, (-1,))),
        memory=memory,
    )


def with_any_number(state, start_ids):
    """The same state, but TensorFlow's graph does not know how many sentences."""
    everyone = all_sentences(start_ids)
    beam_size = state.log_probs.shape[1]
    rows = ops.reshape(
        row_numbers(ops.zeros_like(everyone)[:, None], beam_size)
        + ops.arange(beam_size, dtype="int32"),
        (-1,),
    )
    fields = ("sentences", "limits", "ids", "log_probs", "finished", "memory")
    taken = {name: take_rows(getattr(state, name), everyone) for name in fields}
    return state._replace(**taken, cache=take_rows(state.cache, rows))


def expand(state, logits, end_id, constraints=(), renormalize=False, free_end=False):
    """Find the best 2K ways in which the K hypotheses of each sentence go on.

    At most K of them end, one for each hypothesis, so at least K do not. They
    are sought in two steps, inside each hypothesis and then among what that
    gave; ranking logits is ranking probabilities there, and saves normalising
    all V of them.

    Args:
        state: `BeamState`, of the hypotheses that are alive.
        logits: (A * K, V), for what follows each of them.
        end_id: Token that ends a sentence.
        constraints: Functions that forbid tokens.
        renormalize: Let the probabilities of what is allowed sum to 1 again.
        free_end: The END that the limit forces has log probability 0, and not the one
            that the model gives to it.

    Returns:
        `Candidates`.
    """
    beam_size, vocab_size = state.log_probs.shape[1], logits.shape[-1]
    width = min(2 * beam_size, vocab_size)
    logits = ops.cast(logits, "float32")
    normalizer = ops.logsumexp(logits, axis=-1, keepdims=True)  # (A * K, 1)
    end_log_probs = 0.0 if free_end else logits[:, end_id, None] - normalizer
    if constraints:
        logits = constrain(state, logits - normalizer, constraints)
        normalizer = 0.0
        if renormalize:
            normalizer = ops.logsumexp(logits, axis=-1, keepdims=True)
    best, tokens = top_k(logits, width)  # (A * K, W)
    best = best - normalizer

    ending = ops.repeat(must_end(state.step, state.limits), beam_size)[:, None]
    only_end = ops.where(ops.arange(width) == 0, end_log_probs, -math.inf)
    best = never_positive(ops.where(ending, only_end, best))
    tokens = ops.where(ending, end_id, tokens)

    totals = state.log_probs[:, :, None] + ops.reshape(best, (-1, beam_size, width))
    totals = ops.reshape(totals, (-1, beam_size * width))
    totals, chosen = top_k(totals, 2 * beam_size)  # (A, 2K)
    tokens = ops.reshape(tokens, (-1, beam_size * width))
    return Candidates(totals, chosen // width, gather_beams(tokens, chosen))


def constrain(state, log_probs, constraints):
    """Forbid tokens: log probabilities (A * K, V) -> the same with more of -inf."""
    ids = ops.reshape(state.ids, (-1, ops.shape(state.ids)[-1]))  # (A * K, T)
    sentences = ops.repeat(state.sentences, state.log_probs.shape[1])  # (A * K,)
    return apply_constraints(constraints, log_probs, ids, state.step, sentences)


def never_positive(log_probs):
    """Turn differences of logits into log probabilities: 0 at most, -inf for NaN.

    Rounding may lift a sure token above 0, and `retire` relies on log P(y) never
    rising. A row where all tokens are forbidden gives -inf - -inf.
    """
    return ops.where(log_probs > -math.inf, ops.minimum(log_probs, 0.0), -math.inf)


def keep_finished(state, candidates, end_id, scored, penalties=None, counted=None):
    """Let the candidates that end compete with those that have ended before.

    Args:
        state: `BeamState`.
        candidates: `Candidates`.
        end_id: Token that ends a sentence.
        scored: `(log_probs, length) -> scores`, of hypotheses of all lengths.
        penalties: (A * K,), added to the score of a hypothesis if it ends, or None.
        counted: How many of the candidates, the best ones, may end; None for all.

    Returns:
        The best `Hypotheses`, as many as there were, best first.
    """
    kept = state.finished.scores.shape[1]
    scores = scored(candidates.log_probs, state.step + 1)
    if penalties is not None:
        penalties = ops.reshape(penalties, (-1, state.log_probs.shape[1]))  # (A, K)
        scores = scores + gather_beams(penalties, candidates.beams)
    ending = candidates.tokens == end_id  # (A, 2K)
    if counted is not None:
        ending = ops.logical_and(ending, ops.arange(ending.shape[1]) < counted)
    scores = ops.where(ending, scores, -math.inf)
    scores = ops.concatenate([state.finished.scores, scores], axis=1)
    scores, chosen = top_k(scores, kept)  # (A, kept)
    log_probs = ops.concatenate(
        [state.finished.log_probs, candidates.log_probs], axis=1
    )
    log_probs = gather_beams(log_probs, chosen)
    log_probs = ops.where(scores > -math.inf, log_probs, -math.inf)

    unchanged = ops.broadcast_to(ops.arange(kept, dtype="int32"), ops.shape(scores))
    sources = ops.concatenate([unchanged, kept + candidates.beams], axis=1)
    ids = ops.concatenate([state.finished.ids, state.ids], axis=1)
    ids = gather_beams(ids, gather_beams(sources, chosen))  # (A, kept, T)
    last_tokens = ops.where(chosen >= kept, end_id, PAD)
    ids = write_token(ids, state.step + 1, last_tokens)
    return Hypotheses(ids, scores, log_probs)


def keep_alive(candidates, end_id, beam_size):
    """Go on with the best K candidates that do not end: `Alive`."""
    log_probs = ops.where(candidates.tokens == end_id, -math.inf, candidates.log_probs)
    log_probs, chosen = top_k(log_probs, beam_size)  # (A, K)
    rows = row_numbers(gather_beams(candidates.beams, chosen), beam_size)
    return Alive(log_probs, rows, gather_beams(candidates.tokens, chosen))


def retire(alive, finished_scores, longest, scored):
    """Set all to -inf for sentences whose best can not be overtaken.

    Args:
        alive: `Alive`.
        finished_scores: (A, kept), of those that have ended.
        longest: |y| up to which the alive ones may still get the better of them: ()
            or (A,).
        scored: `(log_probs, length) -> scores`.
    """
    best = ops.max(alive.log_probs, axis=1)  # (A,)
    reachable = scored(best, longest)
    done = ops.min(finished_scores, axis=1) >= reachable
    log_probs = ops.where(done[:, None], -math.inf, alive.log_probs)
    return alive._replace(log_probs=log_probs)


def drop(state, alive):
    """Lay aside what was found for sentences that are done, and forget the rest.

    Ids and cache keep their rows here: `follow` takes only those that go on.
    """
    going_on = ops.any(alive.log_probs > -math.inf, axis=1)  # (A,)
    per_sentence = (state.sentences, state.limits, state.finished, state.memory, alive)

    def some():
        kept = ops.cast(ops.nonzero(going_on)[0], "int32")
        results = lay_aside(state.results, state.sentences, state.finished)
        return results, take_rows(per_sentence, kept)

    def none():
        return state.results, per_sentence

    results, per_sentence = ops.cond(ops.all(going_on), none, some)
    sentences, limits, finished, memory, alive = per_sentence
    state = state._replace(
        sentences=sentences,
        limits=limits,
        finished=finished,
        memory=memory,
        results=results,
    )
    return state, alive


def follow(state, alive):
    """Write the new tokens, and let the cache follow its hypotheses."""
    beam_size, length = state.ids.shape[1], ops.shape(state.ids)[-1]
    rows = ops.reshape(alive.rows, (-1,))  # (A * K,)
    ids = ops.take(ops.reshape(state.ids, (-1, length)), rows, axis=0)
    ids = ops.reshape(ids, (-1, beam_size, length))
    return state._replace(
        step=state.step + 1,
        ids=write_token(ids, state.step + 1, alive.tokens),
        log_probs=alive.log_probs,
        cache=take_rows(state.cache, rows),
    )


def finish(found):
    """Return what has ended, with nothing but PAD where there is no sentence."""
    exists = found.scores[:, :, None] > -math.inf
    first = ops.arange(ops.shape(found.ids)[-1]) == 0
    ids = ops.where(ops.logical_or(exists, first), found.ids, PAD)
    return found._replace(ids=ids)


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
