"""Source ids (B, S) -> memory (B, S, D): the left half of the paper's figure 1."""

import keras

from keras_attention.layers.dropout import Dropout
from keras_attention.layers.encoder_layer import EncoderLayer
from keras_attention.layers.positional_encoding import PositionalEncoding


class Encoder:
    """The layers of the encoder, in their order.

    No Keras layer itself: called on symbolic ids it lays its layers into the
    functional model one by one, where summary and plot show them; called on real
    ids it runs them.
    """

    def __init__(
        self,
        embedding,
        num_layers,
        num_heads,
        d_ff,
        dropout_rate,
        norm_first,
        use_bias,
        dtype,
        activation="relu",
        interleaved_positions=True,
    ):
        self.embedding = embedding
        self.position = PositionalEncoding(
            interleaved=interleaved_positions, dtype=dtype, name="source_position"
        )
        self.dropout = Dropout(dropout_rate, dtype=dtype, name="source_dropout")
        self.layers = [
            EncoderLayer(
                num_heads,
                d_ff,
                dropout_rate,
                norm_first,
                use_bias,
                activation,
                dtype=dtype,
                name=f"encoder_layer_{index}",
            )
            for index in range(num_layers)
        ]
        self.norm = final_norm(norm_first, dtype, "encoder_norm")

    def __call__(self, source_ids):
        x = self.dropout(self.position(self.embedding(source_ids)))  # (B, S, D)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)

    def attention_maps(self, source_ids):
        """The memory (B, S, D), and for each layer the weights (B, N, S, S)."""
        mask = self.embedding.compute_mask(source_ids)
        x = self.position(self.embedding(source_ids))
        maps = []
        for layer in self.layers:
            x, weights = layer.attend(x, mask)
            x = layer.transform(x)
            maps.append(weights)
        return self.norm(x), maps


def final_norm(norm_first, dtype, name):
    """The normalisation that ends a stack: only where the layers end without one."""
    if norm_first:
        return keras.layers.LayerNormalization(epsilon=1e-6, dtype=dtype, name=name)
    return lambda x: x
