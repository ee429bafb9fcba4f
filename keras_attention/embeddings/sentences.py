"""What all trainers of word vectors ask of a text: sentences as lists of words."""

import collections


def require_sentences(owner, sentences):
    """Raise TypeError unless lists of words come, and come again at each pass."""
    if isinstance(sentences, str) or iter(sentences) is sentences:
        raise TypeError(
            f"{owner}: got sentences of type {type(sentences).__name__}, but a text is "
            f"read several times. Give a list of sentences, or an object that begins "
            f"anew at each `for`."
        )
    first = next(iter(sentences), [])
    if isinstance(first, (str, bytes)):
        raise TypeError(
            f"{owner}: got the sentence {first[:40]!r} as one {type(first).__name__}, "
            f"whose letters would be taken for words. Give each sentence as a list of "
            f"words, such as sentence.split()."
        )


def frequent_words(sentences, min_count):
    """The words that occur often enough, the most frequent first, with their counts."""
    counts = collections.Counter(word for sentence in sentences for word in sentence)
    return {word: count for word, count in counts.most_common() if count >= min_count}


def require_words(owner, words, min_count):
    """Raise ValueError if no word is frequent enough to learn a vector."""
    if not len(words):
        raise ValueError(
            f"{owner}: got no word that occurs min_count={min_count} times or more, "
            f"but only such words get a vector. Lower min_count, or give more text."
        )
