"""Models that are tables of random numbers, and what searches should find in them.

The logits for a sentence's next token stand in one of 997 rows, chosen by all of
the tokens before it, so two hypotheses hardly ever see the same row. The
references are written from the definitions, with lists, in float64.
"""

import functools
import itertools

import keras
import numpy as np
from keras import ops

from keras_attention.special_tokens import END, PAD

NUM_ROWS = 997


def random_table(vocab_size, seed=0, sharpness=2.0):
    """(997, V), float32."""
    rng = np.random.default_rng(seed)
    return (sharpness * rng.normal(size=(NUM_ROWS, vocab_size))).astype("float32")


def rows_of(ids, step, xp):
    """Number the rows (R,) for prefixes that end at `step`; `xp` is ops or NumPy."""
    positions = xp.arange(ids.shape[-1] if xp is np else ops.shape(ids)[-1])
    weights = 7 * positions * positions + 31 * positions + 1
    seen = xp.where(positions <= step, (ids + 1) * weights, 0)
    return xp.sum(seen, axis=-1) % NUM_ROWS


def prefix_model(table):
    """A model that reads all of `ids` and has no use for a cache."""

    def next_logits(ids, step, cache):
        return ops.take(table, rows_of(ids, step, ops), axis=0), cache

    return next_logits


def remembering_model(table):
    """The same model, but what it knows about the past is only in its cache."""

    def next_logits(ids, step, cache):
        newest = ops.take(ids, step, axis=1)  # (R,)
        history, counts = cache["past"]
        positions = ops.arange(ops.shape(history)[1])
        history = ops.where(positions == step, newest[:, None], history)
        logits = ops.take(table, rows_of(history, step, ops), axis=0)
        return logits, {**cache, "past": [history, counts + 1]}

    return next_logits


def memory(num_sentences, max_length):
    """The cache that `remembering_model` starts with: nested, of several shapes."""
    return {
        "past": [
            np.zeros((num_sentences, max_length), "int32"),
            np.zeros((num_sentences,), "int32"),
        ],
        "unused": (np.ones((num_sentences, 1, 2), "float32"), ()),
    }


def run(search, model, table, start_ids, length_limits=None, cache=(), **options):
    """Search, compiled on JAX to save time, and give NumPy arrays back."""
    arrays = (table, np.array(start_ids, "int32"), length_limits, cache)
    found = compiled(search, model, tuple(options.items()))(*arrays)
    return keras.tree.map_structure(np.asarray, found)


@functools.cache
def compiled(search, model, options):
    def call(table, start_ids, length_limits, cache):
        table = ops.convert_to_tensor(table)
        return search(
            model(table),
            start_ids,
            length_limits=length_limits,
            cache=keras.tree.map_structure(ops.convert_to_tensor, cache),
            **dict(options),
        )

    if keras.backend.backend() != "jax":
        return call
    import jax

    return jax.jit(call)


def any_size():
    """The TensorFlow signature of a search for any batch and length."""
    import tensorflow as tf

    return tf.TensorSpec([None], "int32"), tf.TensorSpec([], "int32")


def log_probs_after(table, prefix):
    """(V,), float64: log probability of each token that may follow."""
    row = rows_of(np.array(prefix), len(prefix) - 1, np)
    logits = np.asarray(table[row], "float64")
    if np.isneginf(logits).all():
        return logits
    return logits - np.logaddexp.reduce(logits)


def score(table, sentence, length_penalty):
    """log P(y) / ((5 + |y|) / 6) ** length_penalty, token by token."""
    log_prob = sum(
        log_probs_after(table, sentence[:position])[sentence[position]]
        for position in range(1, len(sentence))
    )
    return log_prob / ((5 + len(sentence) - 1) / 6) ** length_penalty


def rank(table, sentences, length_penalty, n_best):
    """The best of the sentences that are possible, with their scores, best first."""
    scored = [(score(table, one, length_penalty), one) for one in sentences]
    return sorted((pair for pair in scored if pair[0] > -np.inf), reverse=True)[:n_best]


def every_sentence(vocab_size, start_id, max_length):
    """All that begin with `start_id`, end with END, and have at most `max_length`."""
    words = [token for token in range(vocab_size) if token != END]
    for num_words in range(max_length - 1):
        for middle in itertools.product(words, repeat=num_words):
            yield (start_id, *middle, END)


def reference_beam(table, start_id, max_length, beam_size, length_penalty, n_best):
    """Beam search by the book, without stopping early."""
    alive, ended = [((start_id,), 0.0)], []
    for length in range(2, max_length + 1):
        candidates = [
            (prefix + (token,), log_prob + token_log_prob)
            for prefix, log_prob in alive
            for token, token_log_prob in enumerate(log_probs_after(table, prefix))
            if token_log_prob > -np.inf and (length < max_length or token == END)
        ]
        candidates.sort(key=lambda candidate: -candidate[1])
        candidates = candidates[: 2 * beam_size]
        ended += [prefix for prefix, _ in candidates if prefix[-1] == END]
        alive = [candidate for candidate in candidates if candidate[0][-1] != END]
        alive = alive[:beam_size]
    return rank(table, ended, length_penalty, n_best)


def reference_early_beam(
    table, start_id, max_length, beam_size, length_penalty, n_best
):
    """Beam search as Hugging Face's `generate` does it: (score, sentence) pairs."""
    alive, ended = [((start_id,), 0.0)], []
    for length in range(2, max_length + 1):
        last, divisor = length == max_length, (length - 1) ** length_penalty
        candidates = [
            (prefix + (token,), log_prob + (0.0 if last else token_log_prob))
            for prefix, log_prob in alive
            for token, token_log_prob in enumerate(log_probs_after(table, prefix))
            if not last or token == END
        ]
        candidates.sort(key=lambda candidate: -candidate[1])
        ended += [
            (log_prob / divisor, prefix)
            for prefix, log_prob in candidates[:beam_size]
            if prefix[-1] == END
        ]
        ended = sorted(ended, reverse=True)[:beam_size]
        candidates = candidates[: 2 * beam_size]
        alive = [candidate for candidate in candidates if candidate[0][-1] != END]
        alive = alive[:beam_size]
        full = len(ended) == beam_size
        if full and alive and ended[-1][0] >= alive[0][1] / divisor:
            break
    return ended[:n_best]


def reference_greedy(table, start_id, max_length):
    sentence = (start_id,)
    while sentence[-1] != END or len(sentence) == 1:
        best = int(np.argmax(log_probs_after(table, sentence)))
        sentence += (END if len(sentence) == max_length - 1 else best,)
    return sentence


def padded(sentence, max_length):
    return [*sentence, *[PAD] * (max_length - len(sentence))]


def sentence_of(ids):
    """What stands in `ids` up to END."""
    return tuple(ids[: list(ids).index(END, 1) + 1].tolist())
