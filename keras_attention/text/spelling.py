"""Words -> ids of their characters (B, T, C): bytes of UTF-8, and marks around them."""

import numpy as np

from keras_attention.special_tokens import PAD

# PAD is 0 and a byte b is b + 1; then come the marks.
FIRST_BYTE = 1
START_OF_SENTENCE, END_OF_SENTENCE, START_OF_WORD, END_OF_WORD = range(257, 261)
NUM_CHARACTERS = 261
# The mark of a sentence's start or end stands between those of a word.
SHORTEST = 3


def spell(sentences, max_characters=50):
    """Words as their characters, one sentence a row, its start and end included.

    Characters are the bytes of a word's UTF-8: all scripts have ids then, and nothing
    is unknown. A word has the mark of its start before its bytes and that of its end
    behind them. START and END are words, too, of one mark each.

    Args:
        sentences: Lists of str, the words of each.
        max_characters: C, ids of a word, its two marks included. The bytes of longer
            words are cut off.

    Returns:
        (B, T, C), int32; T is 2 more than the words of the longest sentence. Word n of
        a sentence, from 1 on, is at place n; `PAD` fills words and sentences up.

    Raises:
        TypeError: A sentence is no list of words.
        ValueError: A word is empty, or holds half a surrogate pair, which is no Unicode
            text; or `max_characters` is below 3.

    Source:
        Peters et al., 2018, section 3.4; the bytes and the marks are those of the
        authors' code. Departure: that has a character of its own behind a word, where
        we have `PAD`.

    Example:

    >>> spell([["a", "dog"], ["hi"]], max_characters=6)[0, :3].tolist()
    [[259, 257, 260, 0, 0, 0], [259, 98, 260, 0, 0, 0], [259, 101, 112, 104, 260, 0]]
    """
    require_room("spell", max_characters)
    require_words("spell", sentences)
    longest = max(map(len, sentences), default=0)
    ids = np.full((len(sentences), longest + 2, max_characters), PAD, np.int32)
    start, end = spell_marks(max_characters)
    for row, words in zip(ids, sentences):
        row[0], row[len(words) + 1] = start, end
        row[1 : len(words) + 1] = spell_words(words, max_characters)
    return ids


def spell_words(words, max_characters):
    """Words, each str -> their characters, (words, C), int32."""
    ids = np.full((len(words), max_characters), PAD, np.int32)
    for row, word in zip(ids, words):
        characters = utf_8(word)[: max_characters - 2]
        end = len(characters) + 1
        row[0], row[end] = START_OF_WORD, END_OF_WORD
        row[1:end] = np.frombuffer(characters, np.uint8)
        row[1:end] += FIRST_BYTE
    return ids


def spell_marks(max_characters):
    """START and END as words of characters: (2, C), int32."""
    ids = np.full((2, max_characters), PAD, np.int32)
    ids[:, 0], ids[:, 2] = START_OF_WORD, END_OF_WORD
    ids[:, 1] = START_OF_SENTENCE, END_OF_SENTENCE
    return ids


def utf_8(word):
    """The bytes of a word; raise ValueError if it has none."""
    try:
        return word.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"spell: got the word {word!a} with half a surrogate pair, which is no "
            f"Unicode text. Decode its source with errors='replace'."
        ) from error


def require_room(owner, max_characters):
    """Raise ValueError unless a word of one byte fits between its marks."""
    if max_characters < SHORTEST:
        raise ValueError(
            f"{owner}: got max_characters={max_characters}, but the marks of a word's "
            f"start and end take 2, and what is between them 1 at least. Use "
            f"{SHORTEST} or more; most words fit into 20, the authors took 50."
        )


def require_words(owner, sentences):
    """Raise unless each sentence is a list of words, and none of these is empty."""
    for number, words in enumerate(sentences):
        if isinstance(words, (str, bytes)):
            raise TypeError(
                f"{owner}: got the sentence {words[:40]!r} as one "
                f"{type(words).__name__}, whose letters would be taken for words. Give "
                f"each sentence as a list of words, such as sentence.split()."
            )
        for word in words:
            if not isinstance(word, str):
                raise TypeError(
                    f"{owner}: got {word!r} ({type(word).__name__}) in sentence "
                    f"{number}, but words are spelled by their letters. Give str."
                )
            if not word:
                raise ValueError(
                    f"{owner}: got an empty word in sentence {number}, but a word has "
                    f"a letter at least. Split by sentence.split(), which makes none."
                )
