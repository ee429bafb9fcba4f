"""Vectors (B, T, D), memory (B, S, M) -> vectors (B, T, U): recurrences, attention."""

import keras
from keras import ops

from keras_attention.layers.additive_attention import AdditiveAttention
from keras_attention.layers.dense import Dense
from keras_attention.layers.dropout import Dropout
from keras_attention.layers.multiplicative_attention import MultiplicativeAttention
from keras_attention.layers.recurrent_layer import recurrent_layer, require_cell
from keras_attention.layers.requirements import require_positive, require_rate

# What makes an attention, by its name, for a decoder of so many units.
ATTENTION = {
    "additive": lambda units, **kwargs: AdditiveAttention(units, **kwargs),
    "multiplicative": lambda units, **kwargs: MultiplicativeAttention(**kwargs),
}


@keras.saving.register_keras_serializable(package="keras_attention")
class RecurrentDecoder(keras.layers.Layer):
    """Write a sentence token by token, from states of fixed size and maybe a memory.

        h_t = cell(x_t, h_{t-1})
        with attention: y_t = tanh(W [context(h_t, memory); h_t]), otherwise y_t = h_t

    Args:
        units: U, width of the states and of the output.
        num_layers: Recurrences on top of each other.
        cell: "lstm", "gru" or "simple_rnn": which cell of Keras.
        attention: "additive" or "multiplicative", to look at the memory after each
            token; None to know of the source only what the first states hold.
        dropout_rate: Share of each recurrence's input, and of the output, dropped in
            training, in [0, 1).

    Call arguments:
        x: (B, T, D), float; the target, shifted so that position t holds token t - 1.
        memory: (B, S, M), float; the encoded source. Not read without attention.
        initial_states: For each layer a list of its first states (B, U), as
            `RecurrentEncoder` gives its last ones; None for zeros.
        x_mask: (B, T), bool, True = may be read; taken from `x` where it carries one.
        memory_mask: (B, S), bool, True = may attend; taken from `memory` likewise.

    Returns:
        (B, T, U), float. A padding mask on `x` passes through unchanged.

    Raises:
        ValueError: For sizes below 1, an unknown cell or attention, or a rate outside
            [0, 1).

    Source:
        Cho et al., 2014, section 2.2, and Sutskever et al., 2014, section 2, where the
        source is known by the first states alone (Cho's decoder sees its context at
        each step; this one does not). Attention: Luong et al., 2015, section 3.1,
        equation 5, without input feeding (section 3.3), so that all positions look at
        once; Bahdanau et al., 2015, look before the cell and hand the context to it.
        Dropout only where nothing recurs: Zaremba et al., 2014.

    Example:

    >>> decoder = RecurrentDecoder(units=8, attention="additive")
    >>> decoder(np.ones((2, 5, 12)), np.ones((2, 7, 8))).shape
    (2, 5, 8)
    """

    def __init__(
        self,
        units,
        num_layers=1,
        cell="lstm",
        attention=None,
        dropout_rate=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        owner, policy = type(self).__name__, self.dtype_policy
        require_positive(owner, units=units, num_layers=num_layers)
        require_cell(owner, cell)
        require_attention(owner, attention)
        require_rate(owner, dropout_rate=dropout_rate)
        self.units = units
        self.num_layers = num_layers
        self.cell = cell
        self.attention = attention
        self.dropout_rate = dropout_rate
        self.supports_masking = True
        self.dropout = Dropout(dropout_rate, dtype=policy)
        self.recurrences = [
            recurrent_layer(cell, units, policy, f"recurrence_{index}")
            for index in range(num_layers)
        ]
        if attention is not None:
            self.memory_attention = ATTENTION[attention](
                units, dtype=policy, name="memory_attention"
            )
            self.combination = Dense(
                units, "tanh", use_bias=False, dtype=policy, name="combination"
            )

    def build(self, x_shape, memory_shape):
        for recurrence in self.recurrences:
            recurrence.build(x_shape)
            x_shape = (*x_shape[:-1], self.units)
        if self.attention is not None:
            self.memory_attention.build(x_shape, memory_shape)
            self.combination.build((*x_shape[:-1], memory_shape[-1] + self.units))

    def call(
        self,
        x,
        memory,
        initial_states=None,
        x_mask=None,
        memory_mask=None,
        training=None,
    ):
        x = self.recur(x, initial_states, x_mask, training)
        if self.attention is not None:
            x, _ = self.attend_to_memory(x, memory, memory_mask)
        return self.dropout(x, training=training)

    def recur(self, x, initial_states=None, x_mask=None, training=None):
        """Do the first half: all recurrences. Returns x (B, T, U)."""
        for index, recurrence in enumerate(self.recurrences):
            x = self.dropout(x, training=training)
            state = None if initial_states is None else initial_states[index]
            x, *_ = recurrence(x, initial_state=state, mask=x_mask)  # (B, T, U)
        return x

    def attend_to_memory(self, x, memory, memory_mask=None):
        """Do the second half and show it: x (B, T, U) and the weights (B, 1, T, S)."""
        context, weights = self.memory_attention(
            x, memory, memory_mask=memory_mask, return_attention_scores=True
        )
        return self.combine(context, x), weights

    def combine(self, context, x):
        """Equation 5 of Luong et al., 2015: tanh(W [context; x])."""
        return self.combination(ops.concatenate([context, x], axis=-1))

    def memory_cache(self, memory, memory_mask=None):
        """What of the attention depends on the memory alone; {} without attention."""
        if self.attention is None:
            return {}
        return self.memory_attention.memory_cache(memory, memory_mask)

    def step(self, x, cache, memory_cache):
        """Do `call` for one new token, with the earlier ones in the states.

        Args:
            x: (R, D), float; the new token of R hypotheses.
            cache: For each layer its states (R, U), from the encoder or the step
                before.
            memory_cache: What `memory_cache` gave for B sentences; R is a multiple of
                B, the hypotheses of a sentence side by side.

        Returns:
            (R, U), the new states, and a list of the weights (R, 1, S) of what was
            looked at in the memory; an empty one without attention.
        """
        extended = []
        for recurrence, states in zip(self.recurrences, cache):
            x, states = recurrence.cell(x, states)  # (R, U)
            extended.append(states)
        if self.attention is None:
            return x, extended, []
        context, weights = self.memory_attention.step(x, memory_cache)
        return self.combine(context, x), extended, [weights]

    @property
    def step_weights(self):
        """The weights that `step` reads: all but what `memory_cache` has read."""
        if self.attention is None:
            return self.weights
        of_memory = {id(weight) for weight in self.memory_attention.key.weights}
        return [weight for weight in self.weights if id(weight) not in of_memory]

    def compute_output_shape(self, x_shape, memory_shape):
        return (*x_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "attention": self.attention,
            "dropout_rate": self.dropout_rate,
        }


def require_attention(owner, attention):
    """Raise ValueError unless there is an attention of this name; None is for none."""
    if attention is not None and attention not in ATTENTION:
        raise ValueError(
            f"{owner}: got attention={attention!r}, but there are only "
            f"{', '.join(map(repr, ATTENTION))}. Use one of these, or None."
        )
