"""Two directions side by side (B, T, 2 M) -> two directions (B, T, 2 D)."""

import keras
from keras import ops

from keras_attention.layers.requirements import require_positive, require_rank


@keras.saving.register_keras_serializable(package="keras_attention")
class BidirectionalLSTM(keras.layers.Layer):
    """Read one half of each vector forwards and the other half backwards.

    The first D numbers of an output know the positions up to theirs and nothing behind
    it, the other D the positions from theirs on and nothing before it; and so through
    any number of these layers, as neither direction ever sees the other. That is what
    tells this layer from `keras.layers.Bidirectional`, and what a language model in
    both directions needs: a second layer of that one would know the word to be guessed.

    Args:
        d_model: D, width of each direction.

    Call arguments:
        x: (B, T, 2 M), float; for the forward direction, then for the backward one.
        mask: (B, T), bool. Hidden positions leave the state of both directions as it
            was, so the backward direction begins at the last position that is there.

    Returns:
        (B, T, 2 D), float, with the mask.

    Raises:
        ValueError: If `x` has not three axes, or its width can not be halved.

    Source:
        Peters et al., 2018, section 3.1; the cell is Keras's LSTM (Hochreiter and
        Schmidhuber, 1997), its weights drawn as in the code of ELMo's authors, by
        Glorot and Bengio, 2010. Departure: the paper's cells are wider than what they
        hand on, which is projected to D.

    Example:

    >>> BidirectionalLSTM(d_model=12)(np.ones((2, 5, 24))).shape
    (2, 5, 24)
    """

    def __init__(self, d_model, **kwargs):
        super().__init__(**kwargs)
        require_positive(type(self).__name__, d_model=d_model)
        self.d_model = d_model
        self.supports_masking = True
        options = {
            "return_sequences": True,
            "recurrent_initializer": "glorot_uniform",
            "dtype": self.dtype_policy,
        }
        # On torch a layer is a module, whose method `forward` is what calls it.
        self.forward_lstm = keras.layers.LSTM(d_model, name="forward", **options)
        self.backward_lstm = keras.layers.LSTM(
            d_model, go_backwards=True, name="backward", **options
        )

    def build(self, x_shape):
        require_rank(self.name, 3, x=x_shape)
        require_halves(self.name, x_shape[-1])
        half = (*x_shape[:-1], x_shape[-1] // 2)
        self.forward_lstm.build(half)
        self.backward_lstm.build(half)

    def call(self, x, mask=None):
        ahead, back = ops.split(x, 2, axis=-1)  # (B, T, M)
        ahead = self.forward_lstm(ahead, mask=mask)  # (B, T, D)
        # From last to first, as they were read.
        back = ops.flip(self.backward_lstm(back, mask=mask), axis=1)
        return ops.concatenate([ahead, back], axis=-1)  # (B, T, 2 D)

    def compute_output_shape(self, x_shape):
        return (*x_shape[:-1], 2 * self.d_model)

    def get_config(self):
        return {**super().get_config(), "d_model": self.d_model}


def require_halves(owner, width):
    """Raise ValueError unless there is as much for each direction."""
    if width % 2:
        raise ValueError(
            f"{owner}: got x of width {width}, but one half is read forwards and the "
            f"other backwards. Put the vectors of both directions side by side."
        )
