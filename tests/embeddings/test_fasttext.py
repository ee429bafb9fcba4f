import numpy as np
import pytest

from keras_attention.embeddings.fasttext import train_fasttext

gensim = pytest.importorskip("gensim", reason="gensim is not installed")

TEXT = [["the", "dog", "runs"], ["the", "cat", "sleeps"], ["a", "dog", "sleeps"]] * 10


def test_it_is_what_gensim_learns():
    options = {"window": 3, "min_count": 2, "epochs": 2, "seed": 7, "bucket": 1000}
    vectors = train_fasttext(TEXT, d_model=11, skip_gram=True, **options)
    reference = gensim.models.FastText(
        TEXT, vector_size=11, sg=1, workers=1, **options
    ).wv
    np.testing.assert_array_equal(vectors.vectors, reference.vectors)


def test_an_unseen_word_is_the_mean_of_its_ngrams():
    vectors = train_fasttext(TEXT, d_model=7, min_n=3, max_n=3, bucket=1000)
    assert "dogs" not in vectors.key_to_index
    # "dogs" is <dogs>; the n-grams of other words are looked up by those words' parts.
    ngrams = ["<do", "dog", "ogs", "gs>"]
    rows = [hash_of(ngram) % 1000 for ngram in ngrams]
    mean = vectors.vectors_ngrams[rows].mean(axis=0)
    np.testing.assert_allclose(vectors["dogs"], mean, atol=1e-7)


def hash_of(ngram):
    """The hash of fastText's dictionary: FNV-1a in 32 bits, over signed bytes."""
    value = 2166136261
    for byte in ngram.encode("utf-8"):
        signed = byte - 256 if byte > 127 else byte
        value = ((value ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
    return value


def test_a_text_of_rare_words_is_refused():
    message = "train_fasttext: got no word that occurs min_count=99 times"
    with pytest.raises(ValueError, match=message):
        train_fasttext(TEXT, min_count=99, bucket=1000)
