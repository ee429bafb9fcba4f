"""Source ids (B, S), target ids (B, T) -> logits (B, T, V)."""

import keras
from keras import ops

from keras_attention.layers.requirements import require_stack
from keras_attention.models.decoder import Decoder
from keras_attention.models.encoder import Encoder
from keras_attention.models.sequence_to_sequence import (
    SequenceToSequence,
    make_embeddings,
    require_vocabularies,
)
from keras_attention.special_tokens import PAD, START

# Widths of the paper's table 3, and the small one that serves small corpora
# (Wu et al., 2021, Multi30k).
PRESETS = {
    "tiny": {"num_layers": 4, "d_model": 128, "num_heads": 4, "d_ff": 256},
    "base": {"num_layers": 6, "d_model": 512, "num_heads": 8, "d_ff": 2048},
    "big": {
        "num_layers": 6,
        "d_model": 1024,
        "num_heads": 16,
        "d_ff": 4096,
        "dropout_rate": 0.3,
    },
}


@keras.saving.register_keras_serializable(package="keras_attention")
class Transformer(SequenceToSequence):
    """The Transformer of *Attention Is All You Need*, as a functional Keras model.

    It is trained by teacher forcing: `target_ids` holds the target shifted right, so
    START and all tokens but the last, and the logits at position t score token t.

    Args:
        source_vocab_size: Tokens the source may use; ids from 0, `PAD` is 0.
        target_vocab_size: V, tokens the target may use.
        num_layers: Encoder layers, and decoder layers (N in the paper).
        d_model: D, width of the residual stream.
        num_heads: N, attention heads of each layer; must divide `d_model`.
        d_ff: F, width of the feed-forward networks.
        dropout_rate: Share of each sub-layer's output and of the embeddings dropped
            in training, in [0, 1) (P_drop in the paper).
        norm_first: Normalise the input of each sub-layer instead of the sum behind
            it; each stack then ends with a normalisation.
        share_embeddings: One matrix for source, target and output. Otherwise the
            source has its own; target and output always share theirs.
        use_bias: Add a bias to the attention's projections; the paper's equations have
            none, many later models do.
        num_decoder_layers: Decoder layers, where they are to differ in number; None
            takes `num_layers`.
        activation: Name of the feed-forward networks' activation in Keras; ReLU in the
            paper.
        interleaved_positions: Sines and cosines of the positions alternate, as in the
            paper; False puts all sines before all cosines.
        scale_embeddings: Multiply the embeddings by sqrt(D), as in the paper.
        output_bias: Add a bias to each token's logit; the paper has none.
        forbidden_tokens: Ids that are never proposed, and that the model's probability
            in a search is not shared with. A token that is to be suppressed but to
            keep its share belongs into a search's `suppressed_tokens`.
        dtype: Dtype policy of all layers, such as "mixed_bfloat16"; None takes
            Keras's global one.

    Inputs:
        {"source_ids": (B, S), "target_ids": (B, T)}, int32; `PAD` is not attended to.

    Outputs:
        (B, T, V) logits, in the compute dtype.

    Raises:
        ValueError: For sizes below 1, heads that do not divide the width, a rate
            outside [0, 1), shared embeddings of two vocabulary sizes, or forbidden
            tokens that the target's vocabulary has not.

    Source:
        Vaswani et al., 2017, section 3 and figure 1. Attention projections have no
        bias, as in the paper's equations.

    Example:

    >>> model = Transformer(11, 13, num_layers=2, d_model=12, num_heads=3, d_ff=24)
    >>> ids = {"source_ids": np.array([[5, 6, 3]]), "target_ids": np.array([[2, 4]])}
    >>> model(ids).shape
    (1, 2, 13)
    """

    def __init__(
        self,
        source_vocab_size,
        target_vocab_size,
        num_layers=6,
        d_model=512,
        num_heads=8,
        d_ff=2048,
        dropout_rate=0.1,
        norm_first=False,
        share_embeddings=False,
        use_bias=False,
        num_decoder_layers=None,
        activation="relu",
        interleaved_positions=True,
        scale_embeddings=True,
        output_bias=False,
        forbidden_tokens=(PAD, START),
        dtype=None,
        name="transformer",
        **kwargs,
    ):
        config = {
            "source_vocab_size": source_vocab_size,
            "target_vocab_size": target_vocab_size,
            "num_layers": num_layers,
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "dropout_rate": dropout_rate,
            "norm_first": norm_first,
            "share_embeddings": share_embeddings,
            "use_bias": use_bias,
            "num_decoder_layers": num_decoder_layers,
            "activation": activation,
            "interleaved_positions": interleaved_positions,
            "scale_embeddings": scale_embeddings,
            "output_bias": output_bias,
            "forbidden_tokens": list(forbidden_tokens),
        }
        require_valid(config)
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())

        source_embedding, target_embedding = make_embeddings(
            config, policy, scale_embeddings, output_bias
        )
        options = (
            num_heads,
            d_ff,
            dropout_rate,
            norm_first,
            use_bias,
            policy,
            activation,
            interleaved_positions,
        )
        encoder = Encoder(source_embedding, num_layers, *options)
        decoder = Decoder(target_embedding, num_decoder_layers or num_layers, *options)

        source_ids = keras.Input((None,), dtype="int32", name="source_ids")
        target_ids = keras.Input((None,), dtype="int32", name="target_ids")
        logits = decoder(target_ids, encoder(source_ids))
        super().__init__(
            {"source_ids": source_ids, "target_ids": target_ids},
            logits,
            name=name,
            **kwargs,
        )
        self.config = config
        self.dtype_policy = policy
        self.encoder = encoder
        self.decoder = decoder

    @classmethod
    def from_preset(cls, preset, vocab_size=None, **overrides):
        """Build a model of known size.

        Args:
            preset: "tiny" (4+4 layers, D 128, F 256, 4 heads), "base" (6+6, 512,
                2048, 8) or "big" (6+6, 1024, 4096, 16, dropout 0.3).
            vocab_size: Tokens of the one vocabulary that source and target share,
                embeddings included. Give `source_vocab_size` and
                `target_vocab_size` instead for two vocabularies.
            **overrides: Any argument of the constructor, instead of the preset's.

        Returns:
            A Transformer with new weights.

        Source:
            Vaswani et al., 2017, table 3 (base, big); Wu et al., 2021 (tiny).

        Example:

        >>> Transformer.from_preset("tiny", vocab_size=1000).count_params()
        1446912
        """
        if preset not in PRESETS:
            raise ValueError(
                f"Transformer: got preset={preset!r}, but there are only "
                f"{', '.join(map(repr, PRESETS))}. Use one of these, or the "
                f"constructor for other sizes."
            )
        sizes = dict(PRESETS[preset])
        if vocab_size is not None:
            sizes.update(
                source_vocab_size=vocab_size,
                target_vocab_size=vocab_size,
                share_embeddings=True,
            )
        return cls(**{**sizes, **overrides})

    def encode(self, source_ids):
        """Run the encoder alone.

        Args:
            source_ids: (B, S), int; `PAD` is not attended to.

        Returns:
            The memory, (B, S, D), float, with its padding mask.
        """
        return self.encoder(source_ids)

    def start(self, source_ids, max_length):
        """Encode the source once, and make ready for `step`.

        Args:
            source_ids: (B, S), int.
            max_length: T, the most tokens a target may get, START included; an int
                or, on TensorFlow, a scalar tensor. None for a cache that grows with
                the target: see `GrowingCache`.

        Returns:
            cache: The keys and values of the target so far, each leaf (B, ...).
                Repeat its rows to follow several hypotheses of each sentence.
            memory_cache: The keys and values of the source; the same for all
                hypotheses of a sentence, so never repeated or reordered.
        """
        memory = self.encode(source_ids)
        padding_mask = ops.not_equal(source_ids, PAD)  # (B, S)
        return self.decoder.start(memory, padding_mask, max_length)

    def step(self, token_ids, cache, index, memory_cache):
        """Score what follows one more token of each hypothesis.

        Args:
            token_ids: (R,), int; the tokens at position `index`. R is a multiple of
                B, the hypotheses of a sentence side by side.
            cache: From `start` or the previous step, its rows R.
            index: Position of the tokens, from 0; an int or a scalar tensor.
            memory_cache: From `start`.

        Returns:
            (R, V) logits of the token at `index` + 1; the cache; and for each layer
            the weights (R, N, S) of what was looked at in the source.
        """
        return self.decoder.step(token_ids, cache, index, memory_cache)

    def attention_maps(self, source_ids, target_ids):
        """Show where every head of every layer looks.

        Args:
            source_ids: (B, S), int.
            target_ids: (B, T), int, START first.

        Returns:
            {"encoder": [(B, N, S, S), ...], "decoder": [(B, N, T, T), ...],
            "cross": [(B, N, T, S), ...]}, one entry a layer; rows are what looks,
            columns what is looked at, and each row sums to 1.
        """
        memory, encoder_maps = self.encoder.attention_maps(source_ids)
        padding_mask = ops.not_equal(source_ids, PAD)
        maps = self.decoder.attention_maps(target_ids, memory, padding_mask)
        return {"encoder": encoder_maps, **maps}

    @property
    def step_weights(self):
        """The weights that `step` reads."""
        return self.decoder.step_weights

    @property
    def cross_attention_shape(self):
        """(L, N): how many layers look at the source, and with how many heads each."""
        return len(self.decoder.layers), self.config["num_heads"]


def require_valid(config):
    """Raise unless a Transformer can be built of these settings."""
    sizes = {
        name: value
        for name, value in config.items()
        if name.startswith(("num_", "d_")) or name.endswith("vocab_size")
    }
    if sizes["num_decoder_layers"] is None:
        del sizes["num_decoder_layers"]
    require_stack("Transformer", config["dropout_rate"], **sizes)
    require_vocabularies("Transformer", config)
