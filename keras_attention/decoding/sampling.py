"""What a model expects next -> a sentence drawn at random, token by token.

At each step the log probabilities become `relative_weights` of the tokens;
`likeliest` keeps those that may be drawn; `draw` inverts their cumulative
distribution at a number that was drawn before the loop, so that the loop holds no
random state.
"""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from keras_attention.decoding.constraints import apply_constraints
from keras_attention.decoding.token_buffer import (
    limits_or_default,
    must_end,
    require_one_per_sentence,
    require_room,
    start_buffer,
    write_token,
)
from keras_attention.decoding.top_k import top_k as largest
from keras_attention.layers.requirements import require_positive
from keras_attention.special_tokens import END, PAD

SMALLEST = float(np.finfo("float32").tiny)
LARGEST = float(np.finfo("float32").max)


def sample(
    next_logits: Callable,
    start_ids,
    *,
    end_id: int = END,
    max_length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    length_limits=None,
    constraints: Sequence[Callable] = (),
    cache=(),
):
    """Extend each sentence by tokens drawn at random until all have ended.

    A token is drawn from the model's distribution after, in this order, the
    constraints, the temperature, `top_k` and `top_p`; each works on what the one
    before has left, made to sum to 1 again.

    Args:
        next_logits: `(ids (B, T), step, cache) -> (logits (B, V), cache)`; the model,
            seen only through what it expects to follow position `step` (0 at
            first). `ids` is PAD after that position. A logit of -inf forbids its
            token.
        start_ids: (B,), int32; the first token of each sentence.
        end_id: Token that ends a sentence.
        max_length: Length T of the result in tokens, the first and the last one
            included, at least 2. On TensorFlow also a scalar tensor.
        temperature: Divides the log probabilities, above 0: below 1 likely tokens
            become likelier still, and above 1 all become more alike.
        top_k: Number of tokens that may be drawn, the likeliest ones, from 1 to V;
            None does not limit it.
        top_p: Probability in (0, 1] that the tokens that may be drawn reach
            together: the fewest that do, likeliest first, and at least one; None
            does not limit it.
        seed: Integer in [0, 2**32). The same one gives the same sentences again, on
            the same backend and for the same B and T.
        length_limits: (B,), int32; each sentence's own maximum, counted like
            `max_length`. The last token that a limit allows is `end_id`.
        constraints: Sequence of constraints, as in
            `keras_attention.decoding.constraints`, applied in this order. Where
            they forbid everything, the sentence ends with `end_id`.
        cache: Any nested structure of tensors; handed on from step to step, each
            with the same shape and dtype.

    Returns:
        (B, T), int32; PAD after the end of each sentence.

    Raises:
        TypeError: `top_k` or `seed` is not an integer.
        ValueError: `temperature` not above 0 or not finite; `top_k` below 1 or above
            V; `top_p` outside (0, 1]; `seed` outside [0, 2**32); `max_length` below
            2; `start_ids` or `length_limits` not of shape (B,).

    Source:
        Fan et al., 2018 (top_k); Holtzman et al., 2019, section 3 (top_p, and the
        temperature). Departures: none.
    """
    require_distribution(temperature, top_k, top_p)
    require_seed(seed)
    require_room("sample", max_length)
    start_ids = ops.convert_to_tensor(start_ids, dtype="int32")
    require_one_per_sentence("sample", "start_ids", start_ids)
    shape = (ops.shape(start_ids)[0], max_length)
    return sample_at(
        keras.random.uniform(shape, dtype="float32", seed=int(seed)),
        next_logits,
        start_ids,
        end_id=end_id,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        length_limits=length_limits,
        constraints=constraints,
        cache=cache,
    )


def sample_at(
    uniforms,
    next_logits,
    start_ids,
    *,
    end_id=END,
    temperature=1.0,
    top_k=None,
    top_p=None,
    length_limits=None,
    constraints=(),
    cache=(),
):
    """Do what `sample` does, at numbers (B, T) in [0, 1) that were drawn before.

    The temperature may be a scalar tensor here, as in a served graph, where it is not
    checked.
    """
    max_length = ops.shape(uniforms)[1]
    limits = limits_or_default(length_limits, start_ids, max_length)
    require_one_per_sentence("sample", "length_limits", limits)
    ids = start_buffer(start_ids, max_length)  # (B, T)
    sentences = ops.arange(ops.shape(start_ids)[0], dtype="int32")  # (B,)

    def unfinished(step, ids, finished, cache):
        return ops.logical_not(ops.all(finished))

    def extend(step, ids, finished, cache):
        logits, cache = next_logits(ids, step, cache)
        require_tokens(top_k, logits.shape[-1])
        log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        log_probs = apply_constraints(constraints, log_probs, ids, step, sentences)
        weights = relative_weights(log_probs, temperature)  # (B, V)
        stuck = ops.max(weights, axis=-1) == 0  # (B,)
        weights, tokens = likeliest(weights, top_k, top_p)  # (B, W)
        tokens = draw(weights, tokens, ops.take(uniforms, step + 1, axis=1))  # (B,)
        ending = ops.logical_or(stuck, must_end(step, limits))
        tokens = ops.where(ending, end_id, tokens)
        ids = write_token(ids, step + 1, ops.where(finished, PAD, tokens))
        return step + 1, ids, ops.logical_or(finished, tokens == end_id), cache

    step = ops.convert_to_tensor(0, dtype="int32")
    finished = ops.zeros_like(start_ids, dtype="bool")
    _, ids, _, _ = ops.while_loop(unfinished, extend, (step, ids, finished, cache))
    return ids


def relative_weights(log_probs, temperature):
    """Turn log probabilities into what tokens weigh beside the likeliest one.

    The likeliest weighs 1 at any temperature, so something is always left to draw.

    Returns:
        (B, V), float32, in [0, 1]; 0 for a token that is forbidden, where all are
        (-inf - -inf is NaN) too.
    """
    best = ops.max(log_probs, axis=-1, keepdims=True)
    weights = ops.exp((log_probs - best) / temperature)
    return ops.where(log_probs > -math.inf, weights, 0.0)


def likeliest(weights, top_k, top_p):
    """Keep the tokens that may be drawn.

    Sorted where that is needed: of tokens that weigh the same, as many are kept as
    were asked for, not all or none.

    Args:
        weights: (B, V), at least 0.
        top_k: Number of tokens, or None.
        top_p: Share of the sum of the weights, or None.

    Returns:
        weights (B, W), 0 for a token that is not kept, and tokens (B, W), int32.
    """
    vocab_size = weights.shape[-1]
    if top_k is None and top_p is None:
        tokens = ops.arange(vocab_size, dtype="int32")
        return weights, ops.broadcast_to(tokens, ops.shape(weights))
    weights, tokens = largest(weights, top_k or vocab_size)  # (B, W)
    if top_p is not None:
        weights = ops.where(in_nucleus(weights, top_p), weights, 0.0)
    return weights, tokens


def in_nucleus(weights, top_p):
    """(B, W) from large to small -> True until their sum reaches its share `top_p`."""
    cumulative = ops.cumsum(weights, axis=-1)
    before = cumulative - weights
    is_first = ops.arange(weights.shape[-1]) == 0
    return ops.logical_or(is_first, before < top_p * cumulative[:, -1:])


def draw(weights, tokens, uniforms):
    """Invert the cumulative distribution of each row.

    A token that weighs nothing is never chosen, though rounding may place its own
    cumulative weight above that of the token before it; and one is always chosen,
    since no threshold is above the largest cumulative weight.

    Args:
        weights: (B, W), at least 0, in any order.
        tokens: (B, W), int32.
        uniforms: (B,), float32, in [0, 1].

    Returns:
        (B,), int32.
    """
    cumulative = ops.where(weights > 0, ops.cumsum(weights, axis=-1), -1.0)
    thresholds = uniforms[:, None] * ops.max(cumulative, axis=-1, keepdims=True)
    chosen = ops.argmax(ops.cast(cumulative >= thresholds, "int32"), axis=-1)
    return ops.take_along_axis(tokens, chosen[:, None], axis=-1)[:, 0]


def require_distribution(temperature, top_k, top_p):
    """Raise unless a distribution is left after all three."""
    if not SMALLEST <= temperature <= LARGEST:
        raise ValueError(
            f"sample: got temperature={temperature}, but log probabilities are divided "
            "by it, in float32. Use a number above 0; 1 draws from the model's own "
            "distribution, and greedy_search is the limit at 0."
        )
    if top_k is not None:
        require_positive("sample", top_k=top_k)
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(
            f"sample: got top_p={top_p}, but it is the probability that the tokens "
            "which may be drawn reach together. Use a number in (0, 1], or None."
        )


def require_tokens(top_k, vocab_size):
    """Raise ValueError if more tokens are asked for than there are."""
    if top_k is not None and top_k > vocab_size:
        raise ValueError(
            f"sample: got top_k={top_k}, but the model knows only {vocab_size} tokens. "
            f"Use a top_k from 1 to {vocab_size}, or None for all of them."
        )


def require_seed(seed):
    """Raise unless `seed` is one that all backends take."""
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(
            f"sample: got seed={seed!r} ({type(seed).__name__}), but the same draws "
            "are to be had again from the same number. Give an integer."
        )
    if not 0 <= seed < 2**32:
        raise ValueError(
            f"sample: got seed={seed}, but random number generators take 32 bits. Use "
            "an integer in [0, 2**32)."
        )
