"""Source ids (B, S), target ids (B, T) -> logits (B, T, V), as before the Transformer."""

import keras
from keras import ops

from keras_attention.layers.recurrent_decoder import RecurrentDecoder
from keras_attention.layers.recurrent_encoder import RecurrentEncoder
from keras_attention.layers.requirements import require_positive
from keras_attention.models.sequence_to_sequence import (
    SequenceToSequence,
    make_embeddings,
    require_vocabularies,
)
from keras_attention.special_tokens import PAD, START


@keras.saving.register_keras_serializable(package="keras_attention")
class RecurrentSeq2Seq(SequenceToSequence):
    """Encoder and decoder of recurrent cells, with or without attention between them.

    The encoder reads the source into states of fixed size, with which the decoder
    begins: without attention, they are all that it knows of the source. It is trained,
    searched with, saved and exported as the `Transformer` is: by teacher forcing,
    `target_ids` being START and all tokens but the last.

    Args:
        source_vocab_size: Tokens the source may use; ids from 0, `PAD` is 0.
        target_vocab_size: V, tokens the target may use.
        num_layers: Recurrences of the encoder, and of the decoder.
        d_model: D, width of the embeddings, of the states and of the memory.
        cell: "lstm", "gru" or "simple_rnn": which cell of Keras.
        attention: "additive" or "multiplicative"; None for none.
        bidirectional: The encoder reads from both ends, half of its width each way.
        dropout_rate: Share of each recurrence's input, and of the decoder's output,
            dropped in training, in [0, 1).
        share_embeddings: One matrix for source, target and output. Otherwise the
            source has its own; target and output always share theirs.
        forbidden_tokens: Ids that are never proposed, and that the model's probability
            in a search is not shared with.
        dtype: Dtype policy of all layers, such as "mixed_bfloat16"; None takes
            Keras's global one.

    Inputs:
        {"source_ids": (B, S), "target_ids": (B, T)}, int32; `PAD` is not read.

    Outputs:
        (B, T, V) logits, in the compute dtype.

    Raises:
        ValueError: For sizes below 1, an unknown cell or attention, a rate outside
            [0, 1), an odd width to be halved, shared embeddings of two vocabulary
            sizes, or forbidden tokens that the target's vocabulary has not.

    Source:
        Sutskever et al., 2014, section 2 (LSTM) and Cho et al., 2014, section 2.2
        (GRU); attention: Bahdanau et al., 2015, and Luong et al., 2015; see
        `RecurrentEncoder` and `RecurrentDecoder` for the departures in each.
        Departures of the whole: the source is not reversed; the output shares the
        target's embeddings (Press and Wolf, 2017), which are scaled by sqrt(D) as the
        Transformer's are.

    Example:

    >>> model = RecurrentSeq2Seq(11, 13, d_model=12, attention="additive")
    >>> ids = {"source_ids": np.array([[5, 6, 3]]), "target_ids": np.array([[2, 4]])}
    >>> model(ids).shape
    (1, 2, 13)
    """

    def __init__(
        self,
        source_vocab_size,
        target_vocab_size,
        num_layers=1,
        d_model=512,
        cell="lstm",
        attention=None,
        bidirectional=False,
        dropout_rate=0.1,
        share_embeddings=False,
        forbidden_tokens=(PAD, START),
        dtype=None,
        name="recurrent_seq2seq",
        **kwargs,
    ):
        config = {
            "source_vocab_size": source_vocab_size,
            "target_vocab_size": target_vocab_size,
            "num_layers": num_layers,
            "d_model": d_model,
            "cell": cell,
            "attention": attention,
            "bidirectional": bidirectional,
            "dropout_rate": dropout_rate,
            "share_embeddings": share_embeddings,
            "forbidden_tokens": list(forbidden_tokens),
        }
        sizes = ("source_vocab_size", "target_vocab_size", "num_layers", "d_model")
        owner = "RecurrentSeq2Seq"
        require_positive(owner, **{size: config[size] for size in sizes})
        require_vocabularies(owner, config)
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())

        source_embedding, target_embedding = make_embeddings(config, policy)
        encoder = RecurrentEncoder(
            d_model,
            num_layers,
            cell,
            bidirectional,
            dropout_rate,
            dtype=policy,
            name="encoder",
        )
        decoder = RecurrentDecoder(
            d_model,
            num_layers,
            cell,
            attention,
            dropout_rate,
            dtype=policy,
            name="decoder",
        )

        source_ids = keras.Input((None,), dtype="int32", name="source_ids")
        target_ids = keras.Input((None,), dtype="int32", name="target_ids")
        memory, states = encoder(source_embedding(source_ids))
        x = decoder(target_embedding(target_ids), memory, initial_states=states)
        super().__init__(
            {"source_ids": source_ids, "target_ids": target_ids},
            target_embedding.project(x),
            name=name,
            **kwargs,
        )
        self.config = config
        self.dtype_policy = policy
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, source_ids):
        """Run the encoder alone.

        Args:
            source_ids: (B, S), int; `PAD` is not read.

        Returns:
            The memory, (B, S, D), float, with its padding mask.
        """
        memory, _ = self.encoder(self.source_embedding(source_ids))
        return memory

    def start(self, source_ids, max_length=None):
        """Encode the source once, and make ready for `step`.

        Args:
            source_ids: (B, S), int.
            max_length: Not needed: states do not grow with the target.

        Returns:
            cache: The states of each layer, each leaf (B, D). Repeat its rows to follow
                several hypotheses of each sentence.
            memory_cache: What the attention looks at; the same for all hypotheses of a
                sentence, so never repeated or reordered. {} without attention.
        """
        memory, states = self.encoder(self.source_embedding(source_ids))
        padding_mask = ops.not_equal(source_ids, PAD)  # (B, S)
        return states, self.decoder.memory_cache(memory, padding_mask)

    def step(self, token_ids, cache, index, memory_cache):
        """Score what follows one more token of each hypothesis.

        Args:
            token_ids: (R,), int; the tokens at position `index`. R is a multiple of
                B, the hypotheses of a sentence side by side.
            cache: From `start` or the previous step, its rows R.
            index: Not needed: states know of no position.
            memory_cache: From `start`.

        Returns:
            (R, V) logits of the next token; the cache; and a list of the weights
            (R, 1, S) of what was looked at in the source, empty without attention.
        """
        x = self.target_embedding(token_ids[:, None])[:, 0]  # (R, D)
        x, cache, maps = self.decoder.step(x, cache, memory_cache)
        return self.target_embedding.project(x), cache, maps

    def attention_maps(self, source_ids, target_ids):
        """Show where the decoder looks in the source.

        Args:
            source_ids: (B, S), int.
            target_ids: (B, T), int, START first.

        Returns:
            {"encoder": [], "decoder": [], "cross": [(B, 1, T, S)]}; rows are what
            looks, columns what is looked at, and each row sums to 1. Recurrences look
            at nothing, so they have no maps.

        Raises:
            ValueError: If the model has no attention.
        """
        if self.config["attention"] is None:
            raise ValueError(
                f"{self.name}: got attention=None, but only attention has a map of "
                f"where it looks. Build and train the model with attention='additive' "
                f"or 'multiplicative'."
            )
        memory, states = self.encoder(self.source_embedding(source_ids))
        x = self.target_embedding(target_ids)
        x = self.decoder.recur(x, states, ops.not_equal(target_ids, PAD))
        padding_mask = ops.not_equal(source_ids, PAD)
        _, weights = self.decoder.attend_to_memory(x, memory, padding_mask)
        return {"encoder": [], "decoder": [], "cross": [weights]}

    @property
    def step_weights(self):
        """The weights that `step` reads."""
        return [*self.target_embedding.weights, *self.decoder.step_weights]

    @property
    def cross_attention_shape(self):
        """(L, N): how many layers look at the source, and with how many heads each."""
        return (0, 0) if self.config["attention"] is None else (1, 1)
