import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.embeddings.gensim_models import keyed_vectors
from keras_attention.embeddings.loading import load_word_vectors
from keras_attention.embeddings.pretrained_embedding import (
    Coverage,
    measure_coverage,
    pretrained_embedding,
)

datapath = pytest.importorskip("gensim.test.utils").datapath

D = 5
WORDS = ["dog", "cat", "sky"]


@pytest.fixture
def vectors():
    matrix = np.random.default_rng(0).normal(scale=3, size=(3, D)).astype("float32")
    return keyed_vectors("test", WORDS, matrix)


@pytest.fixture(scope="module")
def subword_vectors():
    return load_word_vectors(datapath("crime-and-punishment.bin"))


class Pieces:
    """What the layer needs of a SubwordTokenizer, here without TensorFlow."""

    pieces = ["<pad>", "<unk>", "<s>", "</s>", "▁dog", "sky", "xyz"]
    vocab_size = len(pieces)

    def id_to_piece(self, id):
        return self.pieces[id]


def table(layer):
    return ops.convert_to_numpy(layer.embeddings)


def test_words_have_their_vectors_from_the_fourth_id_on(vectors):
    layer, coverage = pretrained_embedding(vectors, ["sky", "dog"])
    assert type(layer) is keras.layers.Embedding
    assert table(layer).shape == (6, D)
    np.testing.assert_array_equal(table(layer)[4], vectors["sky"])
    np.testing.assert_array_equal(table(layer)[5], vectors["dog"])
    np.testing.assert_array_equal(table(layer)[0], np.zeros(D))
    assert table(layer)[1:4].all()
    assert coverage == Coverage(("sky", "dog"), (), ())


def test_unseen_words_are_drawn_with_the_scale_of_the_others_and_named(vectors):
    unseen = [f"unseen{index}" for index in range(2000)]
    layer, coverage = pretrained_embedding(vectors, ["dog", *unseen])
    drawn = table(layer)[5:]
    assert drawn.std() == pytest.approx(vectors.vectors.std(), rel=0.03)
    assert abs(drawn.mean()) < 0.1
    assert coverage.at_random == tuple(unseen)
    again, _ = pretrained_embedding(vectors, ["dog", *unseen])
    other, _ = pretrained_embedding(vectors, ["dog", *unseen], seed=1)
    np.testing.assert_array_equal(table(again), table(layer))
    assert not np.allclose(table(other)[5:], drawn)


def test_unseen_words_are_made_of_their_parts_where_there_are_any(subword_vectors):
    words = ["landlady", "landlord", "x"]
    layer, coverage = pretrained_embedding(subword_vectors, words)
    assert coverage.found == ("landlady",)
    assert coverage.from_subwords == ("landlord", "x")
    for row, word in enumerate(words, start=4):
        np.testing.assert_array_equal(table(layer)[row], subword_vectors[word])


def test_a_word_too_short_for_parts_is_drawn(subword_vectors):
    _, coverage = pretrained_embedding(subword_vectors, ["и", ""])
    assert coverage == Coverage(("и",), (), ("",))


def test_pieces_are_looked_up_as_they_are_then_without_the_mark(vectors):
    layer, coverage = pretrained_embedding(vectors, Pieces())
    assert coverage == Coverage(("▁dog", "sky"), (), ("xyz",))
    np.testing.assert_array_equal(table(layer)[4], vectors["dog"])
    marked = keyed_vectors("test", ["▁dog", "dog"], np.eye(2, dtype="float32"))
    layer, _ = pretrained_embedding(marked, Pieces())
    np.testing.assert_array_equal(table(layer)[4], [1, 0])


@pytest.mark.tensorflow
def test_the_pieces_of_a_real_tokenizer_keep_their_ids(vectors):
    pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    from keras_attention.text.tokenizer import SubwordTokenizer

    lines = ["dog cat sky", "dog sky bird"]
    tokenizer = SubwordTokenizer.train(lines, vocab_size=20, model_type="word")
    layer, coverage = pretrained_embedding(vectors, tokenizer)
    assert layer.input_dim == tokenizer.vocab_size
    (id,) = tokenizer.tokenize(["cat"]).to_list()[0]
    np.testing.assert_array_equal(table(layer)[id], vectors["cat"])
    assert coverage.at_random == ("▁bird",)


@pytest.mark.parametrize("trainable", [False, True])
def test_training_changes_the_vectors_only_if_asked_to(vectors, trainable):
    layer, _ = pretrained_embedding(vectors, WORDS, trainable=trainable)
    before = table(layer).copy()
    model = keras.Sequential([layer, keras.layers.GlobalAveragePooling1D()])
    model.add(keras.layers.Dense(1))
    model.compile("sgd", "mse")
    model.train_on_batch(np.array([[4, 5, 6, 0]]), np.array([[1.0]]))
    assert np.array_equal(table(layer), before) is not trainable
    np.testing.assert_array_equal(table(layer)[0], np.zeros(D))


def test_padding_is_masked(vectors):
    layer, _ = pretrained_embedding(vectors, WORDS)
    mask = layer.compute_mask(np.array([[4, 1, 0]]))
    assert ops.convert_to_numpy(mask).tolist() == [[True, True, False]]


def test_a_saved_model_holds_the_vectors(vectors, tmp_path):
    layer, _ = pretrained_embedding(vectors, [*WORDS, "unseen"])
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, keras.layers.GlobalAveragePooling1D()(layer(ids)))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = np.array([[4, 7, 0], [1, 5, 6]])
    np.testing.assert_array_equal(
        loaded.predict(batch, verbose=0), model.predict(batch, verbose=0)
    )
    assert not loaded.trainable_variables
    np.testing.assert_array_equal(table(loaded.layers[1]), table(layer))


def test_the_report_says_what_share_of_words_and_text_is_covered(vectors):
    counts = {"dog": 6, "cat": 2, "unicorn": 1, "rare": 1}
    _, coverage = pretrained_embedding(vectors, ["dog", "cat", "unicorn"], counts)
    assert coverage.word_share == pytest.approx(2 / 3)
    assert coverage.token_share == pytest.approx(0.8)
    assert str(coverage).split("\n") == [
        "66.7% of the words have a vector, 80.0% of the text",
        "  found          2",
        "  from subwords  0",
        "  at random      1: unicorn",
    ]


def test_the_report_names_the_first_of_many(vectors):
    words = ["dog", *(f"u{index}" for index in range(12))]
    _, coverage = pretrained_embedding(vectors, words)
    assert str(coverage).startswith("7.7% of the words have a vector\n")
    assert str(coverage).endswith("12: u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, ...")


@pytest.mark.parametrize(
    ("vocabulary", "error", "message"),
    [
        ("dog", TypeError, "got the str 'dog' as vocabulary, but each letter"),
        (["dog", 5], TypeError, r"got 5 \(int\) in the vocabulary"),
        ([], ValueError, "got 0 words as vocabulary"),
        (["dog", "cat", "dog"], ValueError, "got 'dog' 2 times in the vocabulary"),
        (["<pad>", "dog"], ValueError, "got '<pad>' as first word"),
        (["Hund"], ValueError, r"got no vector for any of 1 words \(1: Hund\)"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_refused(vectors, vocabulary, error, message):
    with pytest.raises(error, match=f"pretrained_embedding: {message}"):
        pretrained_embedding(vectors, vocabulary)


def test_of_no_counts_there_is_no_share():
    assert measure_coverage({"dog": "found"}, {}).token_share is None
