"""Recurrences and attention of the papers as loops over single steps: slow, obvious.

In float64, for one sentence. The weights are taken from Keras's cells, whose columns
are the gates side by side; nothing else is.
"""

import numpy as np
from references import numpy, weighted_means


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights_of(cell):
    return [
        numpy(weight).astype("float64")
        for weight in (cell.kernel, cell.recurrent_kernel, cell.bias)
    ]


def simple_rnn(cell, x, states):
    """h_t = tanh(W x_t + U h_{t-1} + b)."""
    kernel, recurrent, bias = weights_of(cell)
    return [np.tanh(x @ kernel + states[0] @ recurrent + bias)]


def gru(cell, x, states):
    """Cho et al., 2014, equations 5 to 8, the reset gate behind the product.

    Keras's z keeps the old state, as theirs does.
    """
    kernel, recurrent, bias = weights_of(cell)
    [h] = states
    x_z, x_r, x_h = np.split(x @ kernel + bias[0], 3)
    h_z, h_r, h_h = np.split(h @ recurrent + bias[1], 3)
    z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
    return [z * h + (1 - z) * np.tanh(x_h + r * h_h)]


def lstm(cell, x, states):
    """Hochreiter and Schmidhuber, 1997, with forget gates: c = f c + i g, h = o tanh c."""
    kernel, recurrent, bias = weights_of(cell)
    h, c = states
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


CELLS = {"simple_rnn": simple_rnn, "gru": gru, "lstm": lstm}


def recurrence(name, cell, x, states, mask):
    """x (T, D), mask (T,) -> outputs (T, U), 0 where hidden; and the last states."""
    outputs = []
    for vector, visible in zip(x, mask):
        if visible:
            states = CELLS[name](cell, vector, states)
        outputs.append(states[0] if visible else 0 * states[0])
    return np.array(outputs), states


def encoder(layer, x, mask):
    """x (S, D), mask (S,) -> memory (S, U), and the last states of each layer."""
    last = []
    for part in layer.recurrences:
        zeros = np.zeros(layer.units // (2 if layer.bidirectional else 1))
        start = [zeros] * (2 if layer.cell == "lstm" else 1)
        if layer.bidirectional:
            there, first = recurrence(
                layer.cell, part.forward_layer.cell, x, start, mask
            )
            back, second = recurrence(
                layer.cell, part.backward_layer.cell, x[::-1], start, mask[::-1]
            )
            x = np.concatenate([there, back[::-1]], axis=1)
            last.append([np.concatenate(halves) for halves in zip(first, second)])
        else:
            x, states = recurrence(layer.cell, part.cell, x, start, mask)
            last.append(states)
    return x, last


def additive_score(layer):
    """v' tanh(W q + U k)."""
    query, key, score = (
        numpy(part.kernel).astype("float64")
        for part in (layer.query, layer.key, layer.score)
    )
    return lambda q, k: float(np.tanh(q @ query + k @ key) @ score[:, 0])


def multiplicative_score(layer):
    """q' W k."""
    matrix = numpy(layer.key.kernel).astype("float64")
    return lambda q, k: float(k @ matrix @ q)


def memory_attention(score, x, memory, visible):
    """x (T, D), memory (S, M), visible (T, S) -> context (T, M), weights (T, S)."""
    return weighted_means(lambda t, s: score(x[t], memory[s]), memory, visible)
