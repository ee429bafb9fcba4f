"""What every model from source ids and target ids to logits has, whatever is inside."""

import keras
import numpy as np
from keras import ops

from keras_attention.layers.token_embedding import (
    TokenEmbedding,
    require_ids_in_vocabulary,
)
from keras_attention.models.configured_model import ConfiguredModel
from keras_attention.special_tokens import START

VOCAB_SIZE = {"source_ids": "source_vocab_size", "target_ids": "target_vocab_size"}

# Of tokens that are never proposed: a logit that no other comes near, and that every
# dtype can hold.
FORBIDDEN_LOGIT = -3e4


class SequenceToSequence(ConfiguredModel):
    """A functional Keras model from {"source_ids", "target_ids"} to logits (B, T, V).

    In their `config`, models of this kind have `source_vocab_size`,
    `target_vocab_size`, `share_embeddings` and `forbidden_tokens`; they have `encode`,
    `start` and `step`, on which all searches are built here, `attention_maps`, and what
    an export asks: `step_weights` and `cross_attention_shape`.
    """

    def __call__(self, inputs, *args, **kwargs):
        if isinstance(inputs, dict):
            require_known_inputs(self.name, inputs)
            inputs = {
                side: require_ids_in_vocabulary(
                    f"{self.name}, {side}", ids, self.config[VOCAB_SIZE[side]]
                )
                for side, ids in inputs.items()
            }
        return super().__call__(inputs, *args, **kwargs)

    def compile(self, *args, **kwargs):
        """Do what `keras.Model.compile` does, and make the optimizer's variables.

        Left to the first training step, they would have TensorFlow trace it twice: once
        to find that it makes variables, and again without.
        """
        super().compile(*args, **kwargs)
        self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config):
        # Keras asks for this wherever `compile` is not its own.
        self.compile(**keras.saving.deserialize_keras_object(config))

    def start_search(self, source_ids, max_length):
        """Present the model as a search expects it: as a function to the next logits.

        Args:
            source_ids: (B, S), int.
            max_length: T, the most tokens a target may get, START included.

        Returns:
            next_logits: `(ids (R, T), step, cache) -> (logits (R, V), cache)`, in
                float32. The forbidden tokens are never proposed.
            start_ids: (B,), int32; START for each sentence.
            cache: For the first step, each leaf (B, ...).

        Example:

        >>> next_logits, start_ids, cache = model.start_search(source_ids, 20)
        >>> ids = greedy_search(next_logits, start_ids, max_length=20, cache=cache)
        """
        cache, memory = self.start(source_ids, max_length)
        start_ids = ops.full((ops.shape(source_ids)[0],), START, dtype="int32")  # (B,)

        def next_logits(ids, step, cache):
            return self.next_logits(ids, step, cache, memory)

        return next_logits, start_ids, cache

    def next_logits(self, ids, step, cache, memory_cache):
        """Score what follows, as a search asks that has a memory.

        Args:
            ids: (R, T), int; the tokens so far.
            step: Position of the newest one, from 0.
            cache: From `start` or the previous step, its rows R.
            memory_cache: From `start`.

        Returns:
            (R, V) logits, float32, where the forbidden tokens are never proposed; and
            the cache.
        """
        token_ids = ops.take(ids, step, axis=1)
        logits, cache, _ = self.step(token_ids, cache, step, memory_cache)
        return self.forbid(logits), cache

    @property
    def forbidden(self):
        """Which tokens are never proposed: (V,), bool; by default `PAD` and START."""
        ids = np.arange(self.config["target_vocab_size"])
        return np.isin(ids, self.config["forbidden_tokens"])

    def forbid(self, logits):
        """Let no logits (..., V) propose a token that is forbidden; in float32."""
        return forbid(logits, self.forbidden)


def forbid(logits, forbidden):
    """Let no logits (..., V) propose what is forbidden (V,), bool; in float32."""
    # A sum, which is done together with the product that made the logits.
    bias = ops.cast(np.where(forbidden, FORBIDDEN_LOGIT, 0.0), logits.dtype)
    return ops.cast(logits + bias, "float32")


def make_embeddings(config, dtype, scaled=True, output_bias=False):
    """The embeddings of source and target: one and the same where they are shared.

    The target's turns vectors back into logits, too.
    """
    shared, d_model = config["share_embeddings"], config["d_model"]
    target = TokenEmbedding(
        config["target_vocab_size"],
        d_model,
        scaled,
        output_bias,
        dtype=dtype,
        name="embedding" if shared else "target_embedding",
    )
    if shared:
        return target, target
    source = TokenEmbedding(
        config["source_vocab_size"],
        d_model,
        scaled,
        dtype=dtype,
        name="source_embedding",
    )
    return source, target


def require_known_inputs(owner, inputs):
    """Raise ValueError if there are inputs that the model does not know."""
    unknown = sorted(set(inputs) - set(VOCAB_SIZE))
    if unknown:
        raise ValueError(
            f"{owner}: got the inputs {unknown}, but knows only {sorted(VOCAB_SIZE)}. "
            f"Leave the others out of the dict."
        )


def require_vocabularies(owner, config):
    """Raise ValueError unless the vocabularies of a model fit its other settings."""
    source, target = config["source_vocab_size"], config["target_vocab_size"]
    forbidden = config["forbidden_tokens"]
    if not all(0 <= token < target for token in forbidden):
        raise ValueError(
            f"{owner}: got forbidden_tokens={forbidden} and target_vocab_size="
            f"{target}, but only a token of the vocabulary can be forbidden. Use ids "
            f"from 0 to {target - 1}."
        )
    if config["share_embeddings"] and source != target:
        raise ValueError(
            f"{owner}: got share_embeddings=True with source_vocab_size={source} "
            f"and target_vocab_size={target}, but one matrix serves one vocabulary. "
            f"Train one tokenizer on both languages, or use share_embeddings=False."
        )
