"""The layers of an encoder or a decoder, as the Transformer lays them."""

from keras_attention.layers.dropout import Dropout
from keras_attention.layers.layer_normalization import LayerNormalization
from keras_attention.layers.positional_encoding import PositionalEncoding


class LayerStack:
    """What both halves of the paper's figure 1 are made of, in its order.

    No Keras layer itself: called on symbolic ids a subclass lays its layers into the
    functional model one by one, where summary and plot show them; called on real ids it
    runs them.

    Subclasses say what the layers are, and what they are called: `layer_class`, `half`
    and `side`.
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
            interleaved=interleaved_positions, dtype=dtype, name=f"{self.side}_position"
        )
        self.dropout = Dropout(dropout_rate, dtype=dtype, name=f"{self.side}_dropout")
        self.layers = [
            self.layer_class(
                num_heads,
                d_ff,
                dropout_rate,
                norm_first,
                use_bias,
                activation,
                dtype=dtype,
                name=f"{self.half}_layer_{index}",
            )
            for index in range(num_layers)
        ]
        self.norm = final_norm(norm_first, dtype, f"{self.half}_norm")


def final_norm(norm_first, dtype, name):
    """The normalisation that ends a stack: only where the layers end without one."""
    if norm_first:
        return LayerNormalization(dtype=dtype, name=name)
    return lambda x: x
