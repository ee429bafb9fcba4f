"""Vectors (B, T, D), memory (B, S, M) -> vectors (B, T, M): attention with one head."""

import keras
from keras import ops

from keras_attention.layers.attention import masked_softmax
from keras_attention.layers.masks import visible_keys
from keras_attention.layers.requirements import require_rank


class MemoryAttention(keras.layers.Layer):
    """Average the memory, each position weighted by its score.

        weights_ts = exp(score(x_t, memory_s)) / sum over s' of exp(score(x_t, memory_s'))
        context_t = sum over s of weights_ts memory_s

    What `AdditiveAttention` and `MultiplicativeAttention` have in common. They say how
    to score, by `scores`, and make `self.key`, the layer that prepares the memory for
    it, by `build_scores`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, x_shape, memory_shape):
        require_rank(self.name, 3, x=x_shape, memory=memory_shape)
        self.build_scores(x_shape, memory_shape)

    def call(
        self,
        x,
        memory,
        x_mask=None,
        memory_mask=None,
        return_attention_scores=False,
    ):
        cache = self.memory_cache(memory, memory_mask)
        context, weights = self.attend(x, cache)
        return (context, weights) if return_attention_scores else context

    def memory_cache(self, memory, memory_mask=None):
        """Compute what depends on the memory alone once, for all later steps.

        Args:
            memory: (B, S, M), float.
            memory_mask: (B, S), bool, True = may attend; None shows everything.

        Returns:
            {"key": (B, S, A), "value": (B, S, M), "mask": (B, 1, 1, S)}.
        """
        if memory_mask is None:
            memory_mask = ops.ones(ops.shape(memory)[:2], dtype="bool")
        return {
            "key": self.key(memory),
            "value": memory,
            "mask": visible_keys(self.name, memory_mask),
        }

    def attend(self, x, memory_cache):
        """Do `call` on what `memory_cache` gave: (B, T, M) and weights (B, 1, T, S)."""
        scores = self.scores(x, memory_cache["key"])  # (B, T, S)
        weights = masked_softmax(scores[:, None], memory_cache["mask"])
        weights = ops.cast(weights, memory_cache["value"].dtype)  # (B, 1, T, S)
        return ops.matmul(weights[:, 0], memory_cache["value"]), weights

    def step(self, x, memory_cache):
        """Do `call` for one new token of each hypothesis.

        Args:
            x: (R, D), float; R = B * K, the K hypotheses of a sentence side by side.
                They ask as K positions of one sentence would: nothing is copied.
            memory_cache: What `memory_cache` gave, for B sentences.

        Returns:
            (R, M), and the weights (R, 1, S).
        """
        sentences, source_length = ops.shape(memory_cache["key"])[:2]
        x = ops.reshape(x, (sentences, -1, x.shape[-1]))  # (B, K, D)
        context, weights = self.attend(x, memory_cache)
        context = ops.reshape(context, (-1, context.shape[-1]))  # (R, M)
        return context, ops.reshape(weights, (-1, 1, source_length))

    def compute_output_shape(self, x_shape, memory_shape):
        return (*x_shape[:-1], memory_shape[-1])
