"""Word vectors and a vocabulary -> an embedding layer, and what of it they cover."""

import collections
import dataclasses
from collections.abc import Mapping

import keras
import numpy as np

from keras_attention.special_tokens import END, PAD

# sentencepiece's mark of the start of a word.
START_OF_WORD = "\u2581"
# Words that a report names before it says how many more there are.
NAMED = 10


def pretrained_embedding(
    vectors,
    vocabulary,
    counts: Mapping[str, int] | None = None,
    trainable: bool = False,
    seed: int = 0,
) -> tuple[keras.layers.Embedding, "Coverage"]:
    """Make an embedding layer of word vectors learned beforehand.

    Row 4 + n is the vector of word n. A word without one gets the mean of its character
    n-grams where the vectors are fastText's; else it is drawn from a normal
    distribution with the standard deviation of all vectors' numbers, as are UNKNOWN,
    START and END. PAD's row is 0.

    The layer is Keras's own: its files load without this package, and it looks the
    vectors up as they are. `TokenEmbedding` would multiply them by sqrt(D), as suits
    ones that the Transformer learns together with its output.

    Args:
        vectors: What a `train_` function or `load_word_vectors` returned.
        vocabulary: Words in the order of their ids, without the special tokens, so the
            first has id 4; or a `SubwordTokenizer`, whose pieces and ids are taken. A
            piece is looked up as it is, then without the "▁" at the start of a word.
        counts: {word: how often it is in the text}, for the share of the text covered.
        trainable: Whether training goes on to change the vectors.
        seed: Of those drawn.

    Returns:
        `keras.layers.Embedding` with `mask_zero`, ids (B, T) -> (B, T, D), and a
        `Coverage`, which prints as a report.

    Raises:
        TypeError: If the vocabulary is one str, or has other things than str.
        ValueError: If a word is in it twice, a special token is, none is, or none of
            them has a vector.

    Source:
        Kim, 2014, "Convolutional Neural Networks for Sentence Classification", section
        3.1: frozen or tuned vectors, unseen words drawn with the variance of the
        others. Departures: normal for its uniform distribution.

    Example:

    >>> text = [["a", "dog", "runs"], ["a", "cat", "sleeps"]] * 20
    >>> vectors = train_word2vec(text, d_model=12)
    >>> embedding, coverage = pretrained_embedding(vectors, ["a", "dog", "unicorn"])
    >>> embedding(np.array([[4, 5, 6, 0]])).shape, coverage.at_random
    ((1, 4, 12), ('unicorn',))
    """
    words = words_of(vocabulary)
    rows = {word: vector_of(vectors, word) for word in words}
    origins = {word: origin for word, (origin, _) in rows.items()}
    coverage = measure_coverage(origins, counts)
    require_covered(coverage)

    size = (END + 1 + len(words), vectors.vector_size)
    matrix = np.random.default_rng(seed).standard_normal(size, dtype="float32")
    matrix *= vectors.vectors.std()
    matrix[PAD] = 0
    for row, (_, vector) in enumerate(rows.values(), start=END + 1):
        if vector is not None:
            matrix[row] = vector
    embedding = keras.layers.Embedding(
        *size, mask_zero=True, weights=[matrix], trainable=trainable
    )
    return embedding, coverage


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Which words of a vocabulary have vectors. Prints as a report.

    Attributes:
        found: Words with a vector of their own, tuple of str.
        from_subwords: Words with a vector made of their character n-grams.
        at_random: Words whose vector was drawn.
        token_share: Share of the text's tokens whose word is found or made of its
            n-grams, in [0, 1]; None if no words were counted.
    """

    found: tuple
    from_subwords: tuple
    at_random: tuple
    token_share: float | None = None

    @property
    def word_share(self):
        """Share of the words that are found or made of their n-grams, in [0, 1]."""
        covered = len(self.found) + len(self.from_subwords)
        return covered / (covered + len(self.at_random))

    def __str__(self):
        lines = [f"{self.word_share:.1%} of the words have a vector"]
        if self.token_share is not None:
            lines[0] += f", {self.token_share:.1%} of the text"
        lines.append(f"  found          {len(self.found)}")
        for head in ("from_subwords", "at_random"):
            words = getattr(self, head)
            lines.append(f"  {head.replace('_', ' '):14} {describe(words)}")
        return "\n".join(lines)


def describe(words):
    """How many words, and the first of them."""
    more = ", ..." if len(words) > NAMED else ""
    names = ", ".join(words[:NAMED]) + more
    return f"{len(words)}: {names}" if words else "0"


def measure_coverage(origins, counts):
    """{word: "found", "from_subwords" or "at_random"} -> `Coverage`."""
    words = collections.defaultdict(list)
    for word, origin in origins.items():
        words[origin].append(word)
    share, total = None, sum((counts or {}).values())
    if total:
        covered = words["found"] + words["from_subwords"]
        share = sum(counts.get(word, 0) for word in covered) / total
    kinds = ("found", "from_subwords", "at_random")
    return Coverage(*(tuple(words[kind]) for kind in kinds), token_share=share)


def vector_of(vectors, word):
    """How a word comes by its vector, and the vector, or None if it must be drawn."""
    plain = word.removeprefix(START_OF_WORD)
    for form in (word, plain):
        if form in vectors.key_to_index:
            return "found", vectors[form]
    # fastText gives any word a vector; one too short for its n-grams gets zeros.
    if plain in vectors and vectors[plain].any():
        return "from_subwords", vectors[plain]
    return "at_random", None


def words_of(vocabulary):
    """The words in the order of their ids from 4 on."""
    if hasattr(vocabulary, "id_to_piece"):
        ids = range(END + 1, vocabulary.vocab_size)
        return [vocabulary.id_to_piece(id) for id in ids]
    if isinstance(vocabulary, str):
        raise TypeError(
            f"pretrained_embedding: got the str {vocabulary[:40]!r} as vocabulary, but "
            f"each letter would be a word. Give a list of words."
        )
    words = list(vocabulary)
    require_vocabulary(words)
    return words


def require_vocabulary(words):
    """Raise unless there are words, each str, each once, and no special tokens."""
    if not words:
        raise ValueError(
            "pretrained_embedding: got 0 words as vocabulary, but each row of the "
            "layer belongs to one. Give a list of words."
        )
    for word in words:
        if not isinstance(word, str):
            raise TypeError(
                f"pretrained_embedding: got {word!r} ({type(word).__name__}) in the "
                f"vocabulary, but vectors are looked up by words. Give a list of str."
            )
    word, count = collections.Counter(words).most_common(1)[0]
    if count > 1:
        raise ValueError(
            f"pretrained_embedding: got {word!r} {count} times in the vocabulary, but "
            f"a word has one id. Give each once."
        )
    if words[0] == "<pad>":
        raise ValueError(
            "pretrained_embedding: got '<pad>' as first word, but the rows of the "
            "special tokens are added to those of the words. Give the words behind "
            "them alone."
        )


def require_covered(coverage):
    """Raise ValueError if nothing but drawn vectors would be in the layer."""
    if not coverage.word_share:
        raise ValueError(
            f"pretrained_embedding: got no vector for any of {len(coverage.at_random)} "
            f"words ({describe(coverage.at_random)}), but then nothing would be "
            f"gained. See that language, case and spelling are those of the vectors."
        )
