import numpy as np
import pytest
from references import numpy, vectors

from keras_attention.layers.recurrent_layer import (
    CELLS,
    Orthogonal,
    number_of_states,
    recurrent_layer,
    require_cell,
)

B, T, D, U = 2, 5, 12, 8


@pytest.mark.parametrize("cell", CELLS)
def test_it_gives_all_outputs_and_the_states_behind_what_is_not_hidden(cell):
    layer, x = recurrent_layer(cell, U, "float32", "it"), vectors(B, T, D)
    mask = np.tile(np.arange(T) < 3, (B, 1))
    outputs, *states = layer(x, mask=mask)
    assert tuple(outputs.shape) == (B, T, U)
    assert [tuple(state.shape) for state in states] == number_of_states(cell) * [(B, U)]
    # To rounding: JAX compiles what leads to the two apart.
    np.testing.assert_allclose(numpy(states[0]), numpy(outputs)[:, 2], atol=1e-6)
    assert not numpy(outputs)[:, 3:].any()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_recurrent_matrix_is_orthogonal_in_any_dtype(dtype):
    matrix = numpy(Orthogonal()((U, U), dtype))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(U), atol=0.02)


def test_an_unknown_cell_is_refused_and_the_known_ones_named():
    message = "Somebody: got cell='rnn', but there are only 'simple_rnn', 'gru', 'lstm'"
    with pytest.raises(ValueError, match=message):
        require_cell("Somebody", "rnn")
