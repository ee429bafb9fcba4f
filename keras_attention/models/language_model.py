"""Token ids (B, T) -> logits (B, T, V) of the token that follows each."""

import numbers

import keras
import numpy as np
from keras import ops

from keras_attention.layers.dropout import Dropout
from keras_attention.layers.encoder_layer import EncoderLayer
from keras_attention.layers.learned_positional_encoding import LearnedPositionalEncoding
from keras_attention.layers.requirements import require_stack, require_within_table
from keras_attention.layers.token_embedding import (
    TokenEmbedding,
    require_ids_in_vocabulary,
)
from keras_attention.models.configured_model import ConfiguredModel
from keras_attention.models.layer_stack import final_norm
from keras_attention.models.sequence_to_sequence import forbid
from keras_attention.special_tokens import PAD, START


@keras.saving.register_keras_serializable(package="keras_attention")
class LanguageModel(ConfiguredModel):
    """Half a Transformer: a decoder alone, which goes on with a text token by token.

    P(text) is the product of P(token | all before it). A decoder layer that has no
    memory to look at is an encoder layer whose attention hides the future, so the
    model is a stack of these. It is trained on START and the text, and the logits at
    position t score token t of the text: `LineBatches` serves both.

    Args:
        vocab_size: V, tokens; ids from 0, `PAD` is 0.
        num_layers: Layers.
        d_model: D, width of the residual stream.
        num_heads: N, attention heads of each layer; must divide `d_model`.
        d_ff: F, width of the feed-forward networks; 4 D in the paper.
        dropout_rate: Share of each sub-layer's output and of the embeddings dropped
            in training, in [0, 1).
        max_length: Positions there are vectors for, START's included; nothing longer
            can be read or written.
        norm_first: Normalise the input of each sub-layer instead of the sum behind it
            (GPT-2); the stack then ends with a normalisation.
        dtype: Dtype policy of all layers; None takes Keras's global one.

    Inputs:
        (B, T), int32; `PAD` is not attended to.

    Outputs:
        (B, T, V) logits, in the compute dtype.

    Raises:
        ValueError: For sizes below 1, heads that do not divide the width, or a rate
            outside [0, 1).

    Source:
        Radford et al., 2018, section 3.1, whose sizes are the defaults; without a
        memory: Liu et al., 2018, section 4.2.3; norm_first: Radford et al., 2019,
        section 2.3. Departures: weights are drawn as in our other layers; attention
        weights are not dropped.

    Example:

    >>> gpt = LanguageModel(13, num_layers=2, d_model=12, num_heads=3, d_ff=24)
    >>> gpt(np.array([[2, 5, 6, 4]])).shape
    (1, 4, 13)
    >>> next_logits, start_ids, cache = gpt.start_search(2, max_length=9)
    >>> sample(next_logits, start_ids, max_length=9, cache=cache).shape
    (2, 9)
    """

    def __init__(
        self,
        vocab_size,
        num_layers=12,
        d_model=768,
        num_heads=12,
        d_ff=3072,
        dropout_rate=0.1,
        max_length=512,
        norm_first=False,
        dtype=None,
        name="language_model",
        **kwargs,
    ):
        sizes = {
            "vocab_size": vocab_size,
            "num_layers": num_layers,
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "max_length": max_length,
        }
        require_stack("LanguageModel", dropout_rate, **sizes)
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())

        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        embedding = TokenEmbedding(
            vocab_size, d_model, scaled=False, dtype=policy, name="embedding"
        )
        position = LearnedPositionalEncoding(max_length, dtype=policy, name="position")
        dropout = Dropout(dropout_rate, dtype=policy, name="dropout")
        causal_layers = [
            EncoderLayer(
                num_heads,
                d_ff,
                dropout_rate,
                norm_first,
                use_bias=True,
                activation="gelu",
                causal=True,
                dtype=policy,
                name=f"layer_{index}",
            )
            for index in range(num_layers)
        ]
        norm = final_norm(norm_first, policy, "norm")

        x = dropout(position(embedding(token_ids)))  # (B, T, D)
        for layer in causal_layers:
            x = layer(x)
        logits = embedding.project(norm(x))
        super().__init__(token_ids, logits, name=name, **kwargs)
        self.config = {**sizes, "dropout_rate": dropout_rate, "norm_first": norm_first}
        self.dtype_policy = policy
        self.embedding = embedding
        self.position = position
        self.causal_layers = causal_layers
        self.norm = norm

    def __call__(self, token_ids, *args, **kwargs):
        token_ids = require_ids_in_vocabulary(
            self.name, token_ids, self.config["vocab_size"]
        )
        return super().__call__(token_ids, *args, **kwargs)

    def start(self, rows, max_length):
        """Make ready for `step`.

        Args:
            rows: R, texts to write; an int or a scalar tensor.
            max_length: T, the most tokens a text may get, START included; None for a
                cache that grows with the text: see `GrowingCache`.

        Returns:
            The cache: the keys and values of the text so far, each leaf (R, ...).
        """
        return [layer.empty_cache(rows, max_length) for layer in self.causal_layers]

    def step(self, token_ids, cache, index):
        """Score what follows one more token of each text.

        Args:
            token_ids: (R,), int; the tokens at position `index`.
            cache: From `start` or the previous step.
            index: Position of the tokens, from 0; an int or a scalar tensor.

        Returns:
            (R, V) logits of the token at `index` + 1, and the cache.
        """
        x = self.position.step(self.embedding(token_ids), index)  # (R, D)
        extended = []
        for layer, past in zip(self.causal_layers, cache):
            x, past = layer.step(x, past, index)
            extended.append(past)
        return self.embedding.project(self.norm(x)), extended

    def start_search(self, rows, max_length):
        """Present the model as a search expects it: as a function to the next logits.

        A prompt is a prefix that the search is forced to begin with: see
        `force_prefix`.

        Args:
            rows: B, texts to write; an int or a scalar tensor.
            max_length: T, the most tokens a text may get, START and END included; at
                most the model's own `max_length` + 1, as nothing follows the last one.
                None for a cache that grows.

        Returns:
            next_logits: `(ids (R, T), step, cache) -> (logits (R, V), cache)`, in
                float32. `PAD` and START are never proposed.
            start_ids: (B,), int32; START for each text.
            cache: For the first step, each leaf (B, ...).

        Raises:
            ValueError: If there are too few positions for `max_length`.

        Example:

        >>> gpt = LanguageModel(13, num_layers=1, d_model=12, num_heads=3, d_ff=24)
        >>> prompts = np.array([[5, 6], [7, 0]])  # PAD behind each
        >>> next_logits, start_ids, cache = gpt.start_search(2, max_length=9)
        >>> begin = force_prefix(prompts)
        >>> ids = beam_search(
        ...     next_logits, start_ids, max_length=9, cache=cache, constraints=[begin]
        ... ).ids
        """
        if isinstance(max_length, numbers.Integral):
            longest = self.config["max_length"]
            require_within_table(self.name, max_length - 1, longest)
        start_ids = ops.full((rows,), START, dtype="int32")  # (B,)
        return self.next_logits, start_ids, self.start(rows, max_length)

    def next_logits(self, ids, step, cache):
        """Score what follows position `step` of ids (R, T): (R, V), and the cache."""
        logits, cache = self.step(ops.take(ids, step, axis=1), cache, step)
        return self.forbid(logits), cache

    def forbid(self, logits):
        """Let no logits (..., V) propose `PAD` or START; in float32."""
        ids = np.arange(self.config["vocab_size"])
        return forbid(logits, np.isin(ids, [PAD, START]))

    def attention_maps(self, token_ids):
        """Show where every head of every layer looks.

        Args:
            token_ids: (B, T), int, START first.

        Returns:
            {"decoder": [(B, N, T, T), ...]}, one entry a layer; rows are what looks,
            columns what is looked at, and each row sums to 1.
        """
        mask = self.embedding.compute_mask(token_ids)
        x = self.position(self.embedding(token_ids))
        maps = []
        for layer in self.causal_layers:
            x, weights = layer.attend(x, mask)
            x = layer.transform(x)
            maps.append(weights)
        return {"decoder": maps}
