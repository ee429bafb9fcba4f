"""Token ids (B, T) -> vectors (B, T, D) that know both sides of each token."""

import keras

from keras_attention.layers.dropout import Dropout
from keras_attention.layers.encoder_layer import EncoderLayer
from keras_attention.layers.layer_normalization import LayerNormalization
from keras_attention.layers.learned_positional_encoding import LearnedPositionalEncoding
from keras_attention.layers.requirements import require_stack
from keras_attention.layers.segment_encoding import SegmentEncoding
from keras_attention.layers.token_embedding import TokenEmbedding
from keras_attention.models.configured_model import ConfiguredModel

# BERT's own; the layers behind have 1e-6, which moves their outputs by some 1e-6.
EPSILON = 1e-12


@keras.saving.register_keras_serializable(package="keras_attention")
class Bert(ConfiguredModel):
    """The bidirectional encoder of BERT, as a functional Keras model.

    Tokens, positions and segments each have learned vectors, whose sum is normalised;
    then the encoder layers of the Transformer follow, with GELU and with biases.

    Args:
        vocab_size: V, tokens; ids from 0, `PAD` is 0.
        num_layers: Encoder layers (L in the paper).
        d_model: D, width of the residual stream (H in the paper).
        num_heads: N, attention heads of each layer; must divide `d_model` (A).
        d_ff: F, width of the feed-forward networks; 4 D in the paper.
        dropout_rate: Share of each sub-layer's output and of the embeddings dropped
            in training, in [0, 1).
        max_length: Positions there are vectors for; nothing longer can be encoded.
        num_segments: Segments there are vectors for; ids from 0.
        dtype: Dtype policy of all layers; None takes Keras's global one.

    Inputs:
        {"token_ids": (B, T), "segment_ids": (B, T)}, int32; `PAD` is not attended to.

    Outputs:
        (B, T, D), with the padding mask.

    Raises:
        ValueError: For sizes below 1, heads that do not divide the width, or a rate
            outside [0, 1).

    Source:
        Devlin et al., 2019, section 3; the defaults are BERT-base. Departures: weights
        are drawn as in our other layers; attention weights are not dropped.

    Example:

    >>> bert = Bert(vocab_size=30, num_layers=2, d_model=12, num_heads=3, d_ff=24)
    >>> ids = np.array([[2, 5, 6, 3, 0]])
    >>> bert({"token_ids": ids, "segment_ids": 0 * ids}).shape
    (1, 5, 12)
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
        num_segments=2,
        dtype=None,
        name="bert",
        **kwargs,
    ):
        sizes = {
            "vocab_size": vocab_size,
            "num_layers": num_layers,
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "max_length": max_length,
            "num_segments": num_segments,
        }
        require_stack("Bert", dropout_rate, **sizes)
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())

        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        segment_ids = keras.Input((None,), dtype="int32", name="segment_ids")
        embedding = TokenEmbedding(
            vocab_size, d_model, scaled=False, dtype=policy, name="embedding"
        )
        position = LearnedPositionalEncoding(max_length, dtype=policy, name="position")
        segment = SegmentEncoding(num_segments, dtype=policy, name="segment")
        norm = LayerNormalization(epsilon=EPSILON, dtype=policy, name="embedding_norm")
        x = segment(position(embedding(token_ids)), segment_ids)  # (B, T, D)
        x = Dropout(dropout_rate, dtype=policy, name="embedding_dropout")(norm(x))
        encoder_layers = [
            EncoderLayer(
                num_heads,
                d_ff,
                dropout_rate,
                use_bias=True,
                activation="gelu",
                dtype=policy,
                name=f"encoder_layer_{index}",
            )
            for index in range(num_layers)
        ]
        for layer in encoder_layers:
            x = layer(x)
        super().__init__(
            {"token_ids": token_ids, "segment_ids": segment_ids}, x, name=name, **kwargs
        )
        self.config = {**sizes, "dropout_rate": dropout_rate}
        self.dtype_policy = policy
        self.embedding = embedding
        self.position = position
        self.segment = segment
        self.embedding_norm = norm
        self.encoder_layers = encoder_layers
