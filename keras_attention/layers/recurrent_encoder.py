"""Vectors (B, S, D) -> memory (B, S, U), and the last states: a stack of recurrences."""

import keras
from keras import ops

from keras_attention.layers.dropout import Dropout
from keras_attention.layers.recurrent_layer import (
    number_of_states,
    recurrent_layer,
    require_cell,
)
from keras_attention.layers.requirements import require_positive, require_rate


@keras.saving.register_keras_serializable(package="keras_attention")
class RecurrentEncoder(keras.layers.Layer):
    """Read a sentence token by token, and keep what was read in states of fixed size.

        h_s = cell(x_s, h_{s-1})

    Args:
        units: U, width of the states and of the memory.
        num_layers: Recurrences on top of each other.
        cell: "lstm", "gru" or "simple_rnn": which cell of Keras.
        bidirectional: Read from both ends, half of the `units` each way; memory and
            states hold both halves side by side. Otherwise from the beginning only.
        dropout_rate: Share of each recurrence's input dropped in training, in [0, 1).

    Call arguments:
        x: (B, S, D), float.
        mask: (B, S), bool, True = may be read; taken from `x` where it carries one. A
            position that may not leaves the states as they are.

    Returns:
        memory: (B, S, U), float; the topmost recurrence's output at each position, 0
            where the mask hides it. A padding mask on `x` passes through unchanged.
        states: For each layer a list of its last states, (B, U): one, or of an LSTM
            the output and the carry. This is the context of fixed length.

    Raises:
        ValueError: For sizes below 1, an unknown cell, a rate outside [0, 1), or an odd
            number of units to be halved.

    Source:
        Cho et al., 2014, section 2.2; Sutskever et al., 2014, section 2, without
        reversing the source; bidirectional: Bahdanau et al., 2015, section 3.2. The
        cells are Keras's, so GRU has its `reset_after`. Dropout only where nothing
        recurs: Zaremba et al., 2014.

    Example:

    >>> memory, [[last]] = RecurrentEncoder(units=8, cell="gru")(np.ones((2, 7, 12)))
    >>> memory.shape, last.shape
    ((2, 7, 8), (2, 8))
    """

    def __init__(
        self,
        units,
        num_layers=1,
        cell="lstm",
        bidirectional=False,
        dropout_rate=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        owner = type(self).__name__
        require_positive(owner, units=units, num_layers=num_layers)
        require_cell(owner, cell)
        require_rate(owner, dropout_rate=dropout_rate)
        if bidirectional:
            require_two_halves(owner, units)
        self.units = units
        self.num_layers = num_layers
        self.cell = cell
        self.bidirectional = bidirectional
        self.dropout_rate = dropout_rate
        self.supports_masking = True
        self.dropout = Dropout(dropout_rate, dtype=self.dtype_policy)
        make = both_ways if bidirectional else recurrent_layer
        self.recurrences = [
            make(cell, units, self.dtype_policy, f"recurrence_{index}")
            for index in range(num_layers)
        ]

    def build(self, x_shape):
        for recurrence in self.recurrences:
            recurrence.build(x_shape)
            x_shape = (*x_shape[:-1], self.units)

    def call(self, x, mask=None, training=None):
        states = []
        for recurrence in self.recurrences:
            x = self.dropout(x, training=training)
            x, *last = recurrence(x, mask=mask)  # (B, S, U), and each (B, U)
            states.append(side_by_side(last) if self.bidirectional else last)
        return x, states

    def compute_output_shape(self, x_shape):
        state = (x_shape[0], self.units)
        states = [state] * number_of_states(self.cell)
        return (*x_shape[:-1], self.units), [states] * self.num_layers

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "bidirectional": self.bidirectional,
            "dropout_rate": self.dropout_rate,
        }


def both_ways(cell, units, dtype, name):
    """As `recurrent_layer`, but half of the units read from the end."""
    one_way = recurrent_layer(cell, units // 2, dtype, name)
    return keras.layers.Bidirectional(one_way, dtype=dtype, name=name)


def side_by_side(states):
    """The states of one way, then of the other -> both halves of each state."""
    number = len(states) // 2
    return [
        ops.concatenate(halves, axis=-1)
        for halves in zip(states[:number], states[number:])
    ]


def require_two_halves(owner, units):
    """Raise ValueError unless the units can be shared by two directions."""
    if units % 2:
        raise ValueError(
            f"{owner}: got units={units} and bidirectional=True, but each direction "
            f"has half of them. Use an even number."
        )
