import numpy as np
import pytest
from recurrent_references import encoder
from references import numpy, padding_masks, randomize, vectors

from keras_attention.layers.recurrent_encoder import RecurrentEncoder

B, S, D, U = 2, 7, 12, 8


@pytest.mark.parametrize(
    "cell, bidirectional", [("simple_rnn", True), ("gru", False), ("lstm", True)]
)
def test_it_is_the_equations_of_the_papers(cell, bidirectional):
    layer = RecurrentEncoder(U, num_layers=2, cell=cell, bidirectional=bidirectional)
    x, mask = vectors(B, S, D), padding_masks(B, S)
    layer.build(x.shape)
    randomize(layer)
    memory, states = layer(x, mask=mask)
    for b in range(B):
        expected, expected_states = encoder(layer, x[b], mask[b])
        np.testing.assert_allclose(numpy(memory)[b], expected, atol=1e-5)
        for found, wanted in zip(states, expected_states):
            found = [numpy(state)[b] for state in found]
            np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_one_way_it_does_not_look_ahead():
    layer, x, others = RecurrentEncoder(U), vectors(B, S, D), vectors(B, S, D, seed=1)
    before = numpy(layer(x)[0])
    after = numpy(layer(np.concatenate([x[:, :4], others[:, 4:]], axis=1))[0])
    np.testing.assert_array_equal(after[:, :4], before[:, :4])
    assert not np.allclose(after[:, 4:], before[:, 4:])


def test_padding_further_changes_no_last_state():
    layer, x = RecurrentEncoder(U, bidirectional=True), vectors(B, S, D)
    mask = padding_masks(B, S)
    _, [states] = layer(x, mask=mask)
    longer = np.pad(x, ((0, 0), (0, 4), (0, 0)), constant_values=9)
    _, [padded] = layer(longer, mask=np.pad(mask, ((0, 0), (0, 4))))
    for one, other in zip(states, padded):
        np.testing.assert_allclose(numpy(one), numpy(other), atol=1e-6)


def test_a_sentence_of_nothing_but_padding_leaves_states_of_zero():
    _, [states] = RecurrentEncoder(U)(vectors(B, S, D), mask=np.zeros((B, S), "bool"))
    assert not any(numpy(state).any() for state in states)


@pytest.mark.parametrize("name", ["units", "num_layers"])
def test_a_size_below_one_is_refused(name):
    message = f"RecurrentEncoder: got {name}=0, but there must be at least one"
    with pytest.raises(ValueError, match=message):
        RecurrentEncoder(**{"units": U, name: 0})


def test_an_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="RecurrentEncoder: got cell='GRU', but there"):
        RecurrentEncoder(U, cell="GRU")


def test_units_that_have_no_half_are_refused():
    message = "RecurrentEncoder: got units=7 and bidirectional=True.*even number"
    with pytest.raises(ValueError, match=message):
        RecurrentEncoder(7, bidirectional=True)
