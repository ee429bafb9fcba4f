"""Sentences of words -> batches of their characters, and the words on both sides."""

import collections

import numpy as np

from keras_attention.special_tokens import END, PAD, START, UNKNOWN
from keras_attention.text.buckets import BatchOptions
from keras_attention.text.planned_batches import PlannedBatches
from keras_attention.text.ragged_ids import RaggedIds
from keras_attention.text.spelling import (
    require_room,
    require_words,
    spell_marks,
    spell_words,
)
from keras_attention.text.token_pairs import prepare_pairs


class WordBatches(PlannedBatches):
    """Serve sentences for a language model in both directions to learn, on any backend.

    What it reads is characters, so any word will do; what it guesses is a word of the
    vocabulary, or UNKNOWN. Widths, passes, epochs and resumed trainings are those of
    `TokenBatches`.

    Args:
        sentences: Lists of str, the words of each.
        vocabulary: Words to be guessed in the order of their ids, without the special
            tokens, so the first has id 4.
        max_characters: C, ids of a word; see `spell`.
        batch_tokens: Most words in a batch, END and padding included.
        max_length: Most words in a sentence, END included; at least 2.
        num_widths: Most widths, at least 1. More of them pad less.
        too_long: What becomes of a longer sentence: "drop" it, or "truncate" it. A
            warning tells how many.
        shuffle: Whether to mix sentences and batches, anew in each epoch.
        seed: At least 0.

    Attributes:
        vocab_size: V, the special tokens included.

    Returns:
        Batches of `(characters (B, T, C), {"forward": (B, T), "backward": (B, T)})`,
        int32 arrays. `characters` as `spell` gives them; `forward` is the word behind
        each, `backward` the one before it. Behind END there is nothing to guess, nor
        before START: `PAD`.

    Raises:
        ValueError: The vocabulary is empty, or has a word twice; a word is empty; no
            sentence is left; a value is out of its range.
        TypeError: A sentence is no list of words.

    Example:

    >>> batches = WordBatches([["a", "dog"]], ["a"], max_characters=6)
    >>> characters, labels = next(iter(batches))
    >>> characters.shape
    (1, 4, 6)
    >>> labels["forward"].tolist(), labels["backward"].tolist()
    ([[4, 1, 3, 0]], [[0, 2, 4, 1]])
    """

    def __init__(
        self,
        sentences,
        vocabulary,
        *,
        max_characters: int = 50,
        batch_tokens: int = 2048,
        max_length: int = 256,
        num_widths: int = 6,
        too_long: str = "drop",
        shuffle: bool = True,
        seed: int = 0,
    ):
        owner = "WordBatches"
        options = BatchOptions(
            owner, batch_tokens, max_length, num_widths, too_long, shuffle, seed
        )
        require_room(owner, max_characters)
        require_words(owner, sentences)
        require_sentences(owner, sentences)
        require_vocabulary(owner, vocabulary)
        self.vocab_size = END + 1 + len(vocabulary)
        # Each word is spelled once, whether or not it is in the vocabulary.
        words = list(dict.fromkeys(word for words in sentences for word in words))
        pairs = prepare_pairs(
            number_words(sentences, words), number_words(sentences, vocabulary), options
        )
        self._spelled = pairs.sources.with_first(START)
        self._words = pairs.targets
        self._spellings = np.zeros((END + 1 + len(words), max_characters), np.int32)
        self._spellings[[START, END]] = spell_marks(max_characters)
        self._spellings[END + 1 :] = spell_words(words, max_characters)
        super().__init__(pairs.plan)

    def _gather(self, rows, shape):
        shape = (shape[0], shape[1] + 1)  # START and END
        words = self._words.padded(rows, shape, PAD)  # (B, T)
        spelled = self._spelled.padded(rows, shape, PAD)
        nothing = np.full((shape[0], 1), PAD, np.int32)
        behind = np.concatenate([words[:, 1:], nothing], axis=1)
        before = np.concatenate([nothing, words[:, :-1]], axis=1)
        before = np.where(words == PAD, np.int32(PAD), before)
        return self._spellings[spelled], {"forward": behind, "backward": before}


def number_words(sentences, words):
    """Lists of words -> their ids, from 4 on in the order given; else UNKNOWN."""
    ids = {word: id for id, word in enumerate(words, start=END + 1)}
    return RaggedIds.of(
        [[ids.get(word, UNKNOWN) for word in sentence] for sentence in sentences]
    )


def require_sentences(owner, sentences):
    """Raise ValueError unless there is a word."""
    if not any(map(len, sentences)):
        raise ValueError(
            f"{owner}: got {len(sentences)} sentences without a word, but words are to "
            f"be guessed. Check what was read."
        )


def require_vocabulary(owner, vocabulary):
    """Raise ValueError unless there are words, each once."""
    if not len(vocabulary):
        raise ValueError(
            f"{owner}: got 0 words as vocabulary, but these are what is guessed. Give "
            f"the frequent words of the text."
        )
    word, count = collections.Counter(vocabulary).most_common(1)[0]
    if count > 1:
        raise ValueError(
            f"{owner}: got {word!r} {count} times in the vocabulary, but a word has "
            f"one id. Give each once."
        )
