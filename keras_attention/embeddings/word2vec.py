"""Sentences of words -> word2vec vectors: CBOW and skip-gram, trained by gensim."""

from collections.abc import Iterable, Sequence

from keras_attention.embeddings.gensim_models import train_by_gensim


def train_word2vec(
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
    """Learn a vector for each word by guessing words from their neighbours.

    CBOW guesses a word from the mean of the vectors of the words around it:
    score(word) = u_word . mean(v_c over the context). Skip-gram guesses each word
    around from the word in the middle: score(context) = u_context . v_word. Both are
    taught to tell the right word from `negative` words drawn at random: loss =
    -log sigmoid(score of the right one) - sum over the drawn log sigmoid(-score).

    Args:
        sentences: Lists of str, the words of each; read once more than there are
            epochs.
        d_model: D, width of the vectors.
        window: Most words on each side; how many of them count is drawn anew each time.
        min_count: Occurrences in the text below which a word is left out.
        epochs: Passes over the text.
        skip_gram: Skip-gram; else CBOW.
        seed: Of the first vectors and all draws.
        workers: Threads. Only 1 gives the same vectors each time.
        **options: Others of `gensim.models.Word2Vec`, such as negative=5, sample=1e-3.

    Returns:
        `gensim.models.KeyedVectors`: `vectors["dog"]` is (D,), float32;
        `vectors.most_similar("dog")` are the neighbours by cosine;
        `vectors.most_similar(positive=["king", "woman"], negative=["man"])` is the
        analogy man : king = woman : ?.

    Raises:
        TypeError: If a sentence is no list of words, or the sentences come only once.
        ValueError: If no word occurs `min_count` times, or a number is below 1.
        ImportError: If gensim is not installed.

    Source:
        Mikolov et al., 2013, "Efficient Estimation of Word Representations in Vector
        Space" (both models); "Distributed Representations of Words and Phrases"
        (negative samples, frequent words read less often). Departures: those of
        gensim; it leaves out the phrases.

    Example:

    >>> sentences = [["a", "dog", "runs"], ["a", "cat", "sleeps"]] * 20
    >>> vectors = train_word2vec(sentences, d_model=12, skip_gram=True)
    >>> vectors["dog"].shape, len(vectors)
    ((12,), 5)
    """
    return train_by_gensim(
        "train_word2vec",
        "Word2Vec",
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
