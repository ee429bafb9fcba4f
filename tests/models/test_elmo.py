"""Neither direction knows the word that it is to guess, and both learn to guess it."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers.scalar_mix import ScalarMix
from keras_attention.models.elmo import Elmo
from keras_attention.text.spelling import NUM_CHARACTERS, spell
from keras_attention.text.word_batches import WordBatches
from keras_attention.training.loss import MaskedCrossentropy
from keras_attention.training.metrics import Perplexity

D, V, C = 6, 11, 9
SIZES = {"d_model": D, "filters": [[1, 4], [3, 5]], "max_characters": C}
DIRECTIONS = ("forward", "backward")


def make(**settings):
    return Elmo(V, **{**SIZES, **settings})


def numpy(x):
    return ops.convert_to_numpy(x)


# JAX compiles a loop anew at each call, unless the whole model is compiled.
COMPILED = {"run_eagerly": keras.backend.backend() != "jax"}


def run(model, characters):
    return model.predict_on_batch(characters)


@pytest.fixture(scope="module")
def elmo():
    keras.utils.set_random_seed(1)
    elmo = make()
    elmo.compile(**COMPILED)
    return elmo


@pytest.fixture(scope="module")
def encoder(elmo):
    encoder = elmo.encoder()
    encoder.compile(**COMPILED)
    return encoder


@pytest.mark.parametrize("length", [5, 8], ids=["whole", "padded"])
def test_no_word_is_known_to_who_guesses_it(elmo, length):
    """By the bit: forward logits know nothing behind them, backward nothing before."""
    characters = spell([["a", "dog", "ran"]], C)
    characters = np.pad(characters, ((0, 0), (0, length - 5), (0, 0)))
    before = run(elmo, characters)
    for place in range(1, 4):
        changed = characters.copy()
        changed[:, place] = spell([["owl"]], C)[:, 1]
        after = run(elmo, changed)
        moved = {
            name: np.any(after[name] != before[name], axis=(0, 2)).tolist()[:5]
            for name in DIRECTIONS
        }
        assert moved["forward"] == [place <= t for t in range(5)]
        assert moved["backward"] == [place >= t for t in range(5)]


def test_dropout_in_training_lets_nothing_through(elmo):
    characters = spell([["a", "dog", "ran"]], C)
    changed = characters.copy()
    changed[:, 3] = spell([["owl"]], C)[:, 1]
    states = [(v, numpy(v)) for v in elmo.non_trainable_variables]
    runs = []
    for inputs in (characters, changed):
        keras.utils.set_random_seed(5)
        for state, value in states:
            state.assign(value)
        runs.append(numpy(elmo(inputs, training=True)["forward"]))
    np.testing.assert_array_equal(runs[1][:, :3], runs[0][:, :3])
    assert not np.array_equal(runs[1][:, 3:], runs[0][:, 3:])


def test_padding_changes_nothing_before_it(elmo):
    """Backwards, padding comes first."""
    sentences = [["a", "dog", "ran"], ["two", "dogs", "and", "an", "owl", "sat"]]
    together, alone = (run(elmo, spell(some, C)) for some in (sentences, sentences[:1]))
    for name in DIRECTIONS:
        np.testing.assert_allclose(together[name][:1, :5], alone[name], atol=1e-6)


def test_the_encoder_has_the_layers_of_the_paper(elmo, encoder):
    """h_0 is the word's vector twice; from the second LSTM on, a residual is added."""
    characters = spell([["a", "dog", "ran"], ["hi"]], C)
    vectors = run(encoder, characters)
    assert vectors.shape == (2, 5, 3 * 2 * D)
    word, first, second = np.split(vectors, 3, axis=-1)
    embedded = numpy(elmo.embedding(characters))
    mask = characters.any(axis=-1)
    np.testing.assert_allclose(word, np.tile(embedded, 2), atol=1e-6)
    read = numpy(elmo.lstms[0](word, mask=mask))
    np.testing.assert_allclose(first, read, atol=1e-6)
    again = read + numpy(elmo.lstms[1](read, mask=mask))
    np.testing.assert_allclose(second, again, atol=1e-6)
    logits = run(elmo, characters)
    for half, name in zip(np.split(second, 2, axis=-1), DIRECTIONS):
        expected = numpy(elmo.softmax(half))
        np.testing.assert_allclose(logits[name], expected, atol=1e-5)


def test_a_word_has_a_vector_of_its_own_in_each_sentence(encoder):
    """Seen before or not: by its letters alone, and then by what is around it."""
    vectors = run(encoder, spell([["a", "bat", "ran"], ["the", "bats", "bat"]], C))
    word, first, second = np.split(vectors, 3, axis=-1)
    np.testing.assert_allclose(word[0, 2], word[1, 3], atol=1e-6)
    assert np.abs(word[1, 2] - word[1, 3]).max() > 1e-4
    for layer in (first, second):
        assert np.abs(layer[0, 2] - layer[1, 3]).max() > 1e-4


def test_it_has_the_parameters_that_the_paper_describes():
    filters, lstm = 9, 4 * D * (2 * D + 1)
    embedding = 261 * 16 + 1 * 16 * 4 + 4 + 3 * 16 * 5 + 5
    embedding += 2 * 2 * filters * (filters + 1) + (filters + 1) * D
    expected = embedding + 2 * 2 * lstm + (D + 1) * V
    trainable = make().trainable_variables
    assert sum(np.prod(v.shape, dtype=int) for v in trainable) == expected


def test_its_letters_are_those_of_spell():
    assert make().config["num_characters"] == NUM_CHARACTERS


@pytest.fixture(scope="module")
def trained():
    """A model that has learned three sentences by heart."""
    keras.utils.set_random_seed(0)
    sentences = [
        ["the", "bat", "flies", "at", "night"],
        ["he", "swings", "a", "bat"],
        ["night", "falls"],
    ]
    vocabulary = sorted({word for words in sentences for word in words})
    batches = WordBatches(
        10 * sentences, vocabulary, max_characters=C, num_widths=1, batch_tokens=18
    )
    elmo = Elmo(batches.vocab_size, **{**SIZES, "d_model": 16, "dropout_rate": 0.0})
    elmo.compile(
        keras.optimizers.Adam(0.02),
        loss={name: MaskedCrossentropy() for name in DIRECTIONS},
        metrics={name: Perplexity() for name in DIRECTIONS},
        jit_compile=keras.backend.backend() == "jax",
    )
    history = elmo.fit(batches, epochs=8, verbose=0).history
    return elmo, history


def test_it_learns_to_guess_in_both_directions(trained):
    _, history = trained
    for name in DIRECTIONS:
        assert history[f"{name}_perplexity"][0] > 5
        # The first word, or the last, of three sentences can not be known.
        assert history[f"{name}_perplexity"][-1] < 2


def test_a_file_holds_all_of_it(trained, tmp_path):
    elmo, _ = trained
    elmo.save(tmp_path / "elmo.keras")
    loaded = keras.saving.load_model(tmp_path / "elmo.keras")
    assert loaded.get_config() == elmo.get_config()
    characters = spell([["the", "bat"]], C)
    for name in DIRECTIONS:
        found, expected = (run(one, characters)[name] for one in (loaded, elmo))
        np.testing.assert_array_equal(found, expected)


def classifier_of(elmo, trainable):
    """Words in their sentences -> the mean of their mixed vectors -> one logit."""
    encoder = elmo.encoder()
    encoder.trainable = trainable
    characters = keras.Input((None, C), dtype="int32")
    x = ScalarMix(3)(encoder(characters))
    x = keras.layers.GlobalAveragePooling1D()(x)
    model = keras.Model(characters, keras.layers.Dense(1, name="logit")(x))
    model.compile("sgd", "mse", **COMPILED)
    return model


@pytest.mark.parametrize("trainable", [False, True])
def test_a_classifier_learns_on_top_of_it(trained, trainable, tmp_path):
    elmo = make() if trainable else trained[0]  # to leave the trained one as it is
    model = classifier_of(elmo, trainable)
    characters = spell([["the", "bat", "flies"], ["a", "bat"]], C)
    before = [numpy(v) for v in elmo.lstms[0].weights]
    mix = model.layers[2]
    assert isinstance(mix, ScalarMix)
    scores = numpy(mix.scores)
    model.train_on_batch(characters, np.array([[3.0], [-3.0]]))
    after = [numpy(v) for v in elmo.lstms[0].weights]
    same = all(np.array_equal(x, y) for x, y in zip(before, after))
    assert same != trainable
    assert not np.array_equal(numpy(mix.scores), scores)
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    answers = run(model, characters)
    np.testing.assert_array_equal(run(loaded, characters), answers)
    # Nor does it see the padding.
    alone = run(model, spell([["a", "bat"]], C))
    np.testing.assert_allclose(alone, answers[1:], atol=1e-5)
    elmo.trainable = True


def test_it_may_be_of_half_the_bits():
    elmo = make(dtype="mixed_bfloat16")
    logits = elmo(spell([["a", "dog"]], C))
    assert {keras.backend.standardize_dtype(x.dtype) for x in logits.values()} == {
        "bfloat16"
    }
    assert elmo.encoder()(spell([["a"]], C)).dtype == logits["forward"].dtype


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"d_model": 0}, "Elmo: got d_model=0"),
        ({"num_layers": 0}, "Elmo: got num_layers=0"),
        ({"max_characters": 0}, "Elmo: got max_characters=0"),
        ({"dropout_rate": 1.0}, "Elmo: got dropout_rate=1.0"),
        ({"filters": []}, r"CharacterEmbedding: got filters=\[\]"),
        ({"filters": [[0, 3]]}, "CharacterEmbedding: got width=0"),
        ({"character_dim": 0}, "CharacterEmbedding: got character_dim=0"),
    ],
)
def test_sizes_that_can_not_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
