import keras
import numpy as np
import pytest
from references import highway, numpy, randomize

from keras_attention.layers.character_embedding import CharacterEmbedding

D, E, V = 6, 4, 13
FILTERS = [[1, 3], [2, 5], [4, 2]]
# Words longer than the widest filter, as long, shorter; and no word.
WORDS = [[3, 1, 4, 1, 5, 9], [2, 6, 5, 3], [5, 8], [9]]
LENGTH = 7


def ids(words, length=LENGTH):
    """One sentence: (1, T, C)."""
    return np.array([[word + [0] * (length - len(word)) for word in words]], "int32")


@pytest.fixture(scope="module")
def layer():
    layer = CharacterEmbedding(
        D, FILTERS, num_highways=1, character_dim=E, num_characters=V
    )
    layer.build((None, None, LENGTH))
    randomize(layer)
    return layer


def embed(word, layer):
    """Kim et al., 2016, section 2.2, for one word, filter by filter."""
    table = numpy(layer.table)
    y = []
    for (width, count), convolution in zip(FILTERS, layer.convolutions):
        kernel, bias = numpy(convolution.kernel), numpy(convolution.bias)  # (w, E, n)
        letters = [table[letter] for letter in word]
        letters += [np.zeros(E)] * (width - len(word))
        for k in range(count):
            values = []
            for i in range(len(letters) - width + 1):
                total = bias[k]
                for j in range(width):
                    total += letters[i + j] @ kernel[j, :, k]
                values.append(max(0, total))
            y.append(max(values))
    y = np.array(highway(y, layer.highways[0]))
    return y @ numpy(layer.projection.kernel) + numpy(layer.projection.bias)


def test_it_is_the_network_of_the_paper(layer):
    expected = [embed(word, layer) for word in WORDS]
    np.testing.assert_allclose(numpy(layer(ids(WORDS)))[0], expected, atol=1e-4)


@pytest.mark.parametrize("length", [6, 20])
def test_the_padding_of_a_word_changes_nothing(layer, length):
    np.testing.assert_allclose(
        numpy(layer(ids(WORDS, length))), numpy(layer(ids(WORDS))), atol=1e-5
    )


def test_words_of_fewer_letters_than_the_widest_filter_need_no_padding(layer):
    np.testing.assert_allclose(
        numpy(layer(ids([[5, 8]], 2))), numpy(layer(ids([[5, 8]]))), atol=1e-5
    )


def test_the_order_of_the_letters_matters(layer):
    one, other = numpy(layer(ids([[3, 1, 4], [4, 1, 3]])))[0]
    assert np.abs(one - other).max() > 0.1


def test_a_place_without_a_letter_is_padding_and_stays_finite(layer):
    words = ids([[3, 1], [], [5]])
    assert numpy(layer.compute_mask(words)).tolist() == [[True, False, True]]
    assert np.isfinite(numpy(layer(words))).all()


@pytest.mark.parametrize("filters", [[], [[3]], [[1, 2, 3]]])
def test_filters_that_are_none_are_refused(filters):
    with pytest.raises(ValueError, match="CharacterEmbedding: got filters=.*of known"):
        CharacterEmbedding(D, filters)


def test_a_filter_of_no_width_is_refused():
    with pytest.raises(ValueError, match="CharacterEmbedding: got width=0"):
        CharacterEmbedding(D, [[0, 4]])


def test_letters_that_are_not_there_are_refused(layer):
    with pytest.raises(ValueError, match="got the id 13 .* outside.*0 to 12"):
        layer(ids([[13]]))


def test_another_number_of_axes_is_refused():
    layer = CharacterEmbedding(D, FILTERS, name="letters")
    with pytest.raises(ValueError, match=r"letters: got ids of shape \(2, 5\)"):
        layer(np.ones((2, 5), "int32"))


def test_adam_squares_the_sum_of_the_gradients_of_a_character():
    keras.utils.set_random_seed(0)
    ids = np.array([[[5, 6, 5], [5, 5, 7]]], "int32")
    layer = CharacterEmbedding(4, filters=[[1, 16]], num_highways=0, character_dim=2)
    inputs = keras.Input(ids.shape[1:], dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    adam = keras.optimizers.Adam(0.01, beta_1=0.9, beta_2=0.99)
    model.compile(adam, "mse", jit_compile=False)
    model.fit(ids, np.ones((1, 2, 4)), verbose=0)
    first, second = [numpy(m) for m in adam.variables if m.shape == layer.table.shape]
    assert np.abs(first[5]).max() > 0
    np.testing.assert_allclose(second, 0.01 * (first / 0.1) ** 2, rtol=1e-4, atol=1e-12)
