import sys

import numpy as np
import pytest

from keras_attention.embeddings.gensim_models import import_gensim, keyed_vectors
from keras_attention.embeddings.loading import load_word_vectors
from keras_attention.embeddings.word2vec import train_word2vec

pytest.importorskip("gensim", reason="gensim is not installed")


def test_without_gensim_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim", None)
    message = (
        r"Bird: got no gensim.*"
        r"pip install 'keras-attention-transformer\[vectors\]'"
    )
    with pytest.raises(ImportError, match=message):
        import_gensim("Bird")
    with pytest.raises(ImportError, match="train_word2vec: got no gensim"):
        train_word2vec([["a"]])
    with pytest.raises(ImportError, match="load_word_vectors: got no gensim"):
        load_word_vectors("any.txt")


def test_words_and_rows_become_a_table():
    matrix = np.array([[1, 0], [0.9, 0.1], [0, 1]], "float32")
    vectors = keyed_vectors("test", ["dog", "cat", "sky"], matrix)
    np.testing.assert_array_equal(vectors["cat"], matrix[1])
    assert vectors.most_similar("dog")[0][0] == "cat"
