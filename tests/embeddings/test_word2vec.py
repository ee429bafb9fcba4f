import gzip
import re

import numpy as np
import pytest

from keras_attention.embeddings.word2vec import train_word2vec

gensim = pytest.importorskip("gensim", reason="gensim is not installed")

TEXT = [["the", "dog", "runs"], ["the", "cat", "sleeps"], ["a", "dog", "sleeps"]] * 10


@pytest.mark.parametrize("skip_gram", [False, True])
def test_it_is_what_gensim_learns(skip_gram):
    options = {"window": 3, "min_count": 2, "epochs": 2, "seed": 7, "negative": 4}
    vectors = train_word2vec(TEXT, d_model=11, skip_gram=skip_gram, **options)
    reference = gensim.models.Word2Vec(
        TEXT, vector_size=11, sg=int(skip_gram), workers=1, **options
    ).wv
    assert vectors.index_to_key == reference.index_to_key
    np.testing.assert_array_equal(vectors.vectors, reference.vectors)


def test_the_two_models_learn_different_vectors_and_each_the_same_again():
    def learn(skip_gram):
        return train_word2vec(TEXT, d_model=5, skip_gram=skip_gram).vectors

    assert not np.allclose(learn(False), learn(True))
    np.testing.assert_array_equal(learn(True), learn(True))


def test_rare_words_are_left_out():
    vectors = train_word2vec([*TEXT, ["unicorn"]], d_model=5, min_count=2)
    assert "unicorn" not in vectors


def test_a_text_of_rare_words_is_refused():
    message = "train_word2vec: got no word that occurs min_count=99 times"
    with pytest.raises(ValueError, match=message):
        train_word2vec(TEXT, min_count=99)


@pytest.mark.parametrize("name", ["d_model", "window", "min_count", "epochs"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"train_word2vec: got {name}=0, but"):
        train_word2vec(TEXT, **{name: 0})


def test_neighbours_and_an_analogy_on_real_text(data):
    with gzip.open(data / "multi30k/raw/train.en.gz", "rt", encoding="utf-8") as file:
        text = [re.findall(r"\w+", line.lower()) for line in file]
    vectors = train_word2vec(text, d_model=32, epochs=3, skip_gram=True)
    neighbours = [word for word, _ in vectors.most_similar("dog", topn=10)]
    assert "dogs" in neighbours
    analogy = vectors.most_similar(positive=["men", "woman"], negative=["man"], topn=5)
    assert "women" in [word for word, _ in analogy]
