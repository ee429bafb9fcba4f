"""Strings (B,) -> strings (B,): tokenizer, model, search and tokenizer in one graph."""

import math

import tensorflow as tf

from keras_attention.decoding.beam_search import beam_search
from keras_attention.decoding.greedy_search import greedy_search
from keras_attention.decoding.scoring import score
from keras_attention.decoding.source_coverage import (
    coverage_penalty,
    covering,
    start_coverage,
)
from keras_attention.export.graph_function import IDS, graph_function, require_short
from keras_attention.special_tokens import END, PAD, START

# What one answer for each text looks like.
ONE_TEXT = tf.TensorSpec([None], tf.string)


class SentenceGraph:
    """All that a translator does, as functions of tensors that a graph can hold.

    Sentences of like length are translated together, the longest first, `batch_size`
    at a time, and answered in their order: none waits for much longer ones, and any
    number of them fits into memory.

    Args:
        model: A `Transformer` or a `RecurrentSeq2Seq`.
        source_tokenizer: Tokenizer of its source vocabulary.
        target_tokenizer: Tokenizer of its target vocabulary.
        settings: `SearchSettings`.
        max_source_length: Longest source in tokens, END included.
        batch_size: Sentences translated at once.

    Attributes:
        best_ids: The best translations, ids (B, S) -> ids (B, T), START first. Traced
            once for all that begins with it.
    """

    def __init__(
        self,
        model,
        source_tokenizer,
        target_tokenizer,
        settings,
        max_source_length,
        batch_size,
    ):
        self.model = model
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.settings = settings
        self.max_source_length = max_source_length
        self.batch_size = batch_size
        self.best_ids = graph_function(lambda ids: self.search(ids).ids[:, 0], IDS)

    def translate(self, text):
        """The best translation of each text: {"text": (B,)}."""
        return {"text": self.for_all(text, self.best_texts, ONE_TEXT)}

    def greedy(self, text):
        """A translation of each text by its most likely tokens: {"text": (B,)}."""
        return {"text": self.for_all(text, self.greedy_texts, ONE_TEXT)}

    def n_best(self, text):
        """The `beam_size` best translations of each text, best first.

        Returns:
            {"text": (B, K), "scores": (B, K), "log_probs": (B, K)}; "" and -inf where
            there are no more.
        """
        n = self.settings.beam_size
        several = [None, n]
        outputs = {
            "text": tf.TensorSpec(several, tf.string),
            "scores": tf.TensorSpec(several, tf.float32),
            "log_probs": tf.TensorSpec(several, tf.float32),
        }
        return self.for_all(text, lambda ids: self.n_best_texts(ids, n), outputs)

    def score(self, text, target):
        """How likely the model finds given translations.

        Returns:
            {"scores": (B,), "log_probs": (B,)}, as a search would give them for these;
            -inf where a text has no token.
        """
        pieces = self.pieces(text)
        target_ids = with_end(self.target_tokenizer.tokenize(target))  # (B, T)
        found = self.score_ids(with_end(pieces), target_ids)
        return emptied(found, pieces.row_lengths())

    def attention(self, text):
        """The best translation of each text, and where it looks.

        Returns:
            {"text": (B,), "source_pieces": (B, S), "target_pieces": (B, T), strings,
            "" behind the end; "attention": (B, T, S), float32: for each piece of the
            target, what it looks at in the source, the mean of all layers and heads}.
            Of a text without any token all is "" and 0.
        """
        pieces = self.pieces(text)
        found = self.align_ids(with_end(pieces))
        found["attention"] = tf.reduce_mean(found.pop("maps"), axis=(1, 2))
        return emptied(found, pieces.row_lengths(), number=0.0)

    def best_texts(self, source_ids):
        """Ids (B, S) -> the best translations (B,)."""
        return self.target_tokenizer.detokenize(self.best_ids(source_ids))

    def n_best_texts(self, source_ids, n):
        """Ids (B, S) -> the n best translations of each; see `n_best`."""
        found = self.search(source_ids, n_best=n)
        length = tf.shape(found.ids)[-1]
        texts = self.target_tokenizer.detokenize(tf.reshape(found.ids, (-1, length)))
        texts = tf.reshape(texts, tf.shape(found.scores))
        return {"text": texts, "scores": found.scores, "log_probs": found.log_probs}

    def greedy_texts(self, source_ids):
        """Ids (B, S) -> the translations (B,) of the most likely tokens."""
        return self.target_tokenizer.detokenize(self.greedy_search(source_ids))

    def search(self, source_ids, n_best=1, prefix_ids=None):
        """Find the best translations.

        Args:
            source_ids: (B, S), int32, END behind each sentence, then PAD.
            n_best: Translations of each sentence.
            prefix_ids: (B, P), int32, PAD behind each; what the translations begin
                with. None for anything.

        Returns:
            `Hypotheses` of ids (B, n_best, T), START first.
        """
        start_ids, options = self.options(source_ids, prefix_ids)
        next_logits, final_penalty = self.model.next_logits, None
        weight = self.settings.coverage_penalty
        if weight:
            coverage = start_coverage(source_ids != PAD)
            options["cache"] = (options["cache"], coverage)
            next_logits = covering(self.model)

            def final_penalty(cache):
                return coverage_penalty(cache[1], weight)

        return beam_search(
            next_logits,
            start_ids,
            beam_size=self.settings.beam_size,
            length_penalty=self.settings.length_penalty,
            length_offset=self.settings.length_offset,
            complete=self.settings.complete,
            renormalize=self.settings.renormalize,
            n_best=n_best,
            final_penalty=final_penalty,
            **options,
        )

    def greedy_search(self, source_ids, prefix_ids=None):
        """The translations of the most likely tokens: ids (B, S) -> ids (B, T)."""
        start_ids, options = self.options(source_ids, prefix_ids)
        return greedy_search(self.model.next_logits, start_ids, **options)

    def options(self, source_ids, prefix_ids=None):
        """What each search is told of its sentences: start ids (B,), and options."""
        lengths = tf.reduce_sum(tf.cast(source_ids != PAD, tf.int32), axis=1)  # (B,)
        limits = self.settings.max_lengths(lengths)
        # At least 2, as there may be no sentence at all.
        max_length = tf.reduce_max(tf.concat([limits, [2]], axis=0))
        cache, memory = self.model.start(source_ids, max_length=None)
        return tf.fill(tf.shape(lengths), START), {
            "max_length": max_length,
            "length_limits": limits,
            "constraints": self.settings.constraints(lengths, prefix_ids),
            "cache": cache,
            "memory": memory,
            "drop_done": True,
        }

    def score_ids(self, source_ids, target_ids):
        """Ids (B, S), (B, T), END behind each -> the scores; see `score`."""
        logits = self.model(teacher_forced(source_ids, target_ids))
        found = score(
            self.model.forbid(logits),
            target_ids,
            self.settings.length_penalty,
            self.settings.length_offset,
        )
        return {"scores": found.scores, "log_probs": found.log_probs}

    def align_ids(self, source_ids):
        """Ids (B, S) -> the best translations, and all maps (B, L, N, T, S) of them."""
        found = self.look_ids(source_ids)
        return {
            "text": found["text"],
            "source_pieces": found["source_pieces"],
            "target_pieces": found["target_pieces"],
            "maps": found["cross"],
        }

    def look_ids(self, source_ids):
        """Ids (B, S) -> the best translations, and where everything in them looks.

        Returns:
            {"text": (B,), "source_pieces": (B, S), "target_pieces": (B, T), and the
            maps of each layer and head, float32: "encoder": (B, L, N, S, S),
            "decoder": (B, L, N, T, T), "cross": (B, L, N, T, S)}, without those that
            the model has not: a recurrence looks at nothing.
        """
        target_ids = self.best_ids(source_ids)[:, 1:]  # (B, T)
        maps = self.model.attention_maps(**teacher_forced(source_ids, target_ids))
        return {
            "text": self.target_tokenizer.detokenize(target_ids),
            "source_pieces": self.source_tokenizer.ids_to_pieces(source_ids),
            "target_pieces": self.target_tokenizer.ids_to_pieces(target_ids),
            **{
                kind: tf.cast(tf.stack(layers, axis=1), tf.float32)
                for kind, layers in maps.items()
                if layers
            },
        }

    def pieces(self, text):
        """Cut texts (B,) into pieces, ragged (B, None); an error if one is too long."""
        return require_short(
            self.source_tokenizer.tokenize(text),
            self.max_source_length - 1,  # and END
            f"A text has more than max_source_length={self.max_source_length} tokens. "
            "Split it into sentences.",
        )

    def for_all(self, text, translate, outputs):
        """Translate any number of texts, those of like length together.

        Args:
            text: (B,), strings.
            translate: `(ids (A, S)) -> tensors (A, ...)`, for A sentences at once.
            outputs: The specs of these tensors, nested alike.

        Returns:
            Tensors (B, ...); "" and -inf for a text without any token.
        """
        pieces = self.pieces(text)
        lengths = pieces.row_lengths()  # (B,)
        longest_first = tf.argsort(lengths, direction="DESCENDING", stable=True)
        # One batch at least, though it be empty: the outputs need their shapes.
        num_batches = tf.maximum(-(-tf.size(lengths) // self.batch_size), 1)

        def translate_batch(batch, arrays):
            first = batch * self.batch_size
            rows = longest_first[first : first + self.batch_size]
            found = translate(with_end(tf.gather(pieces, rows)))
            arrays = tf.nest.map_structure(
                lambda array, values: array.write(batch, values), arrays, found
            )
            return batch + 1, arrays

        arrays = tf.nest.map_structure(
            lambda spec: tf.TensorArray(
                spec.dtype, num_batches, infer_shape=False, element_shape=spec.shape
            ),
            outputs,
        )
        _, arrays = tf.while_loop(
            lambda batch, _: batch < num_batches, translate_batch, (0, arrays)
        )
        found = tf.nest.map_structure(lambda array: array.concat(), arrays)
        return in_order(found, longest_first, lengths)


def in_order(found, longest_first, lengths):
    """Put results (B, ...) back into the order of the texts; empty texts stay empty."""
    places = tf.argsort(longest_first)
    found = tf.nest.map_structure(lambda values: tf.gather(values, places), found)
    return emptied(found, lengths)


def emptied(found, lengths, number=-math.inf):
    """Results (B, ...) of texts, but "" and a number for those of no token."""

    def of_real_texts(values):
        empty = "" if values.dtype == tf.string else number
        has_tokens = tf.reshape(lengths > 0, [-1] + [1] * (len(values.shape) - 1))
        return tf.where(has_tokens, values, tf.constant(empty, values.dtype))

    return tf.nest.map_structure(of_real_texts, found)


def with_end(pieces):
    """Close each sentence with END: ragged (B, None) -> padded (B, S), int32."""
    ends = tf.fill((pieces.nrows(), 1), END)
    return tf.concat([pieces, ends], axis=1).to_tensor(PAD)


def teacher_forced(source_ids, target_ids):
    """The model's inputs for given translations (B, T): shifted right, START first."""
    start = tf.fill((tf.shape(target_ids)[0], 1), START)
    shifted = tf.concat([start, target_ids], axis=1)[:, :-1]
    return {"source_ids": source_ids, "target_ids": shifted}
