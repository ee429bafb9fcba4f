import keras
import numpy as np
import pytest
from references import numpy, randomize, vectors

from keras_attention.layers.bidirectional_lstm import BidirectionalLSTM

B, T, M, D = 2, 5, 6, 3


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, mask, cell, order):
    """Hochreiter and Schmidhuber, 1997, with forget gates: (T, M) -> (T, D).

    A hidden position changes nothing, and hands on what there was.
    """
    kernel, recurrent, bias = map(
        numpy, (cell.kernel, cell.recurrent_kernel, cell.bias)
    )
    h, c = np.zeros(D), np.zeros(D)
    outputs = np.zeros((len(x), D))
    for t in order:
        if mask[t]:
            i, f, g, o = np.split(x[t] @ kernel + h @ recurrent + bias, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        outputs[t] = h
    return outputs


def both_directions(x, mask, layer):
    """One sentence (T, 2 M) -> (T, 2 D)."""
    ahead = lstm(x[:, :M], mask, layer.forward_lstm.cell, range(T))
    back = lstm(x[:, M:], mask, layer.backward_lstm.cell, reversed(range(T)))
    return np.concatenate([ahead, back], axis=1)


@pytest.fixture(scope="module")
def layer():
    layer = BidirectionalLSTM(D)
    layer.build((None, None, 2 * M))
    randomize(layer)
    return layer


def test_each_half_is_read_in_its_direction(layer):
    x, mask = vectors(B, T, 2 * M), np.ones(T, "bool")
    expected = [both_directions(row, mask, layer) for row in x]
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-5)


def test_the_backward_direction_begins_where_the_sentence_ends(layer):
    """Its first steps are padding, which must leave its state at zero."""
    x = vectors(B, T, 2 * M)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], "bool")
    expected = [both_directions(row, m, layer) for row, m in zip(x, mask)]
    found = numpy(layer(x, mask=mask))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    alone = numpy(layer(x[:1, :3]))
    np.testing.assert_allclose(found[:1, :3], alone, atol=1e-6)


def moved(run, x, other, t):
    """For each half of the vectors, which positions move when x changes at t alone."""
    changed = x.copy()
    changed[:, t] = other[:, t]
    difference = run(changed) != run(x)
    return [half.any(axis=(0, 2)).tolist() for half in np.split(difference, 2, axis=2)]


@pytest.mark.parametrize("mask", [None, [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]])
def test_no_direction_learns_of_the_other_through_two_layers(mask):
    inputs = keras.Input((None, 2 * M))
    layers = [BidirectionalLSTM(D), BidirectionalLSTM(D)]
    attached = None if mask is None else np.array(mask, "bool")

    def run(x):
        for layer in layers:
            x = layer(x, mask=attached)
        return numpy(x)

    assert layers[1](layers[0](inputs)).shape == (None, None, 2 * D)
    x, other = vectors(B, T, 2 * M), vectors(B, T, 2 * M, seed=1)
    for t in range(T):
        ahead, back = moved(run, x, other, t)
        assert ahead == [place >= t for place in range(T)]
        assert back == [place <= t for place in range(T)]


def test_a_width_that_can_not_be_halved_is_refused():
    layer = BidirectionalLSTM(D, name="reads")
    with pytest.raises(ValueError, match="reads: got x of width 7, but one half"):
        layer(vectors(B, T, 7))


def test_another_number_of_axes_is_refused():
    layer = BidirectionalLSTM(D, name="reads")
    with pytest.raises(ValueError, match=r"reads: got x of shape \(2, 12\)"):
        layer(vectors(B, 12))
