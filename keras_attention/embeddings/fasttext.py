"""Sentences of words -> fastText vectors, of words and parts; trained by gensim."""

from collections.abc import Iterable, Sequence

from keras_attention.embeddings.gensim_models import train_by_gensim


def train_fasttext(
    sentences: Iterable[Sequence[str]],
    d_model: int = 100,
    window: int = 5,
    min_count: int = 5,
    epochs: int = 5,
    skip_gram: bool = False,
    seed: int = 0,
    workers: int = 1,
    **options,
):
    """Learn a vector for each word and each run of letters in one.

    word2vec, but a word's vector is the mean of its own one and those of its character
    n-grams, the word written as <word>: with n = 3, <do, dog, og>. A word that the text
    does not have gets the mean of its n-grams.

    Args:
        sentences, d_model, window, min_count, epochs, skip_gram, seed, workers: See
            `train_word2vec`.
        **options: Others of `gensim.models.FastText`: min_n=3 and max_n=6, the lengths
            of the n-grams in characters; bucket=2_000_000, how many vectors they
            share, by a hash: memory for `bucket` times `d_model` float32.

    Returns:
        `gensim.models.fasttext.FastTextKeyedVectors`: as `train_word2vec`, but a word
        that was not in the text has its vector, too.

    Raises:
        TypeError, ValueError, ImportError: As `train_word2vec`.

    Source:
        Bojanowski et al., 2017, "Enriching Word Vectors with Subword Information".
        Departures: those of gensim, and of fastText itself: a mean for the paper's sum.
        The paper is skip-gram; CBOW is fastText's.

    Example:

    >>> sentences = [["a", "dog", "runs"], ["a", "cat", "sleeps"]] * 20
    >>> vectors = train_fasttext(sentences, d_model=12, bucket=1000)
    >>> "dogs" in vectors.key_to_index, vectors["dogs"].shape
    (False, (12,))
    """
    return train_by_gensim(
        "train_fasttext",
        "FastText",
        sentences,
        d_model,
        skip_gram,
        window=window,
        min_count=min_count,
        epochs=epochs,
        seed=seed,
        workers=workers,
        **options,
    )
