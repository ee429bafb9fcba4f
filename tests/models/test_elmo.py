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


def run(model, characters):
    return {name: numpy(logits) for name, logits in model(characters).items()}


@pytest.fixture(scope="module")
def elmo():
    keras.utils.set_random_seed(1)
    return make()


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
    together = run(elmo, spell([["a", "dog"], ["two", "dogs", "and", "an", "owl"]], C))
    alone = run(elmo, spell([["a", "dog"]], C))
    for name in DIRECTIONS:
        np.testing.assert_allclose(together[name][:1, :4], alone[name], atol=1e-6)


def test_a_word_that_was_never_seen_has_a_vector_of_its_own(elmo):
    one, other = numpy(elmo.encoder()(spell([["aardvark", "aardvarks"]], C)))[0, 1:3]
    assert np.isfinite(one).all() and np.abs(one - other).max() > 1e-4


def test_the_encoder_has_the_layers_of_the_paper(elmo):
    """h_0 is the word's vector twice; from the second LSTM on, a residual is added."""
    characters = spell([["a", "dog", "ran"], ["hi"]], C)
    vectors = elmo.encoder()(characters)
    assert vectors.shape == (2, 5, 3 * 2 * D)
    word, first, second = np.split(numpy(vectors), 3, axis=-1)
    embedded = elmo.embedding(characters)
    mask = elmo.embedding.compute_mask(characters)
    twice = ops.concatenate([embedded, embedded], axis=-1)
    np.testing.assert_array_equal(word, numpy(twice))
    read = elmo.lstms[0](twice, mask=mask)
    np.testing.assert_allclose(first, numpy(read), atol=1e-6)
    again = read + elmo.lstms[1](read, mask=mask)
    np.testing.assert_allclose(second, numpy(again), atol=1e-6)
    ahead, back = np.split(second, 2, axis=-1)
    logits = run(elmo, characters)
    for half, name in zip((ahead, back), DIRECTIONS):
        np.testing.assert_allclose(logits[name], numpy(elmo.softmax(half)), atol=1e-5)


def test_the_same_word_has_another_vector_in_another_sentence(elmo):
    vectors = numpy(elmo.encoder()(spell([["a", "bat"], ["the", "bat"]], C)))[:, 2]
    word, first, second = np.split(vectors, 3, axis=-1)
    np.testing.assert_array_equal(word[0], word[1])
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(second[0], second[1])


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
    """A model that has learned three sentences by heart; each has "bat" in it."""
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
        np.testing.assert_array_equal(
            run(loaded, characters)[name], run(elmo, characters)[name]
        )


def classifier_of(elmo, trainable):
    """Words in their sentences -> the mean of their mixed vectors -> one logit."""
    encoder = elmo.encoder()
    encoder.trainable = trainable
    characters = keras.Input((None, C), dtype="int32")
    x = ScalarMix(3)(encoder(characters))
    x = keras.layers.GlobalAveragePooling1D()(x)
    model = keras.Model(characters, keras.layers.Dense(1, name="logit")(x))
    model.compile("sgd", "mse", run_eagerly=True)
    return model


@pytest.mark.parametrize("trainable", [False, True])
def test_a_classifier_learns_on_top_of_it(trained, trainable, tmp_path):
    elmo = make() if trainable else trained[0]  # to leave the trained one as it is
    model = classifier_of(elmo, trainable)
    characters = spell([["the", "bat", "flies"], ["a", "bat"]], C)
    before = [numpy(v) for v in elmo.lstms[0].trainable_variables]
    before = before or [numpy(v) for v in elmo.lstms[0].weights]
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
    np.testing.assert_array_equal(numpy(loaded(characters)), numpy(model(characters)))
    elmo.trainable = True


def test_a_classifier_does_not_see_the_padding(trained):
    model = classifier_of(trained[0], trainable=False)
    together = numpy(model(spell([["the", "bat"], ["night", "falls", "at", "a"]], C)))
    np.testing.assert_allclose(
        together[:1], numpy(model(spell([["the", "bat"]], C))), atol=1e-5
    )
    trained[0].trainable = True


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
