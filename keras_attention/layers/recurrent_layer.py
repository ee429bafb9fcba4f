"""The recurrent networks of Keras, by the names of their cells."""

import keras
from keras import ops

CELLS = {
    "simple_rnn": keras.layers.SimpleRNNCell,
    "gru": keras.layers.GRUCell,
    "lstm": keras.layers.LSTMCell,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class Orthogonal(keras.initializers.Orthogonal):
    """As Keras's own, but drawn in float32: TensorFlow has no QR in bfloat16."""

    def __call__(self, shape, dtype=None):
        return ops.cast(super().__call__(shape, "float32"), dtype or "float32")


def recurrent_layer(cell, units, dtype, name):
    """Run a cell of Keras over a sequence.

    Not `keras.layers.LSTM` and its like, which take another road on a GPU: what is
    exported there must run on a server without one.

    Args:
        cell: "simple_rnn", "gru" or "lstm".
        units: Width of its states.
        dtype: Dtype policy.
        name: Of the layer; the cell in it is called "cell".

    Returns:
        A `keras.layers.RNN`: (B, T, D) -> (B, T, units), and the last states, each
        (B, units): one, or of an LSTM the output and the carry. Where a mask hides a
        position, the states stay as they were, and the output is 0.
    """
    return keras.layers.RNN(
        CELLS[cell](
            units, recurrent_initializer=Orthogonal(), dtype=dtype, name="cell"
        ),
        return_sequences=True,
        return_state=True,
        zero_output_for_mask=True,
        dtype=dtype,
        name=name,
    )


def number_of_states(cell):
    """How many states a cell hands on: 2 of an LSTM, else 1."""
    return 2 if cell == "lstm" else 1


def require_cell(owner, cell):
    """Raise ValueError unless there is a cell of this name."""
    if cell not in CELLS:
        raise ValueError(
            f"{owner}: got cell={cell!r}, but there are only "
            f"{', '.join(map(repr, CELLS))}. Use one of these."
        )
