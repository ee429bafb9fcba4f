"""Sentences (B,) -> their words' characters (B, T, C), in the graph."""

from collections.abc import Sequence

import tensorflow as tf

from keras_attention.special_tokens import PAD
from keras_attention.text.spelling import (
    END_OF_WORD,
    FIRST_BYTE,
    START_OF_WORD,
    require_room,
    spell_marks,
)

# In RE2's syntax. Control characters are space: at NUL, `tf.strings.lower` would end.
SPACE = r"[\s\p{Z}\p{Cc}]+"
# What stands alone, as it is neither space nor part of a word.
PUNCTUATION = r"[^\p{L}\p{M}\p{N}_ ]"


class CharacterTokenizer(tf.Module):
    """Cut sentences into words, and spell these.

    A word is a run of letters, marks, digits and underscores, or one other character
    that is no space. It works in Python as in a served graph, where it needs nothing
    but TensorFlow.

    Args:
        max_characters: C, ids of a word; see `spell`.
        max_length: Most words of a sentence, START and END included; what is more is
            cut off.
        lowercase: Make letters small first.

    Attributes:
        max_characters, max_length, lowercase: The same.

    Raises:
        ValueError: If there is no room for a letter or a word.

    Source:
        The ids are those of `spell`, for the same words; see there. Peters et al.,
        2018, take words as the corpus has them.

    Example:
        >>> tokenizer = CharacterTokenizer(max_characters=6)
        >>> words = tokenizer.split(["A dog's life!", "hi"])
        >>> words.to_list()
        [[b'a', b'dog', b"'", b's', b'life', b'!'], [b'hi']]
        >>> tokenizer.spell(words)[0, 1:3].numpy().tolist()
        [[259, 98, 260, 0, 0, 0], [259, 101, 112, 104, 260, 0]]
    """

    def __init__(
        self, max_characters: int = 50, max_length: int = 256, lowercase: bool = True
    ):
        super().__init__()
        require_room("CharacterTokenizer", max_characters)
        if max_length < 3:
            raise ValueError(
                f"CharacterTokenizer: got max_length={max_length}, but START and END "
                f"are words, too, and one is to be between them. Use 3 or more."
            )
        self.max_characters = max_characters
        self.max_length = max_length
        self.lowercase = lowercase

    def split(self, strings) -> tf.RaggedTensor:
        """Sentences (B,) -> their words (B, None), strings of UTF-8."""
        strings = tf.convert_to_tensor(strings, dtype=tf.string)
        # Whatever is no UTF-8 becomes U+FFFD here, which no pattern would match else.
        strings = tf.strings.unicode_transcode(strings, "UTF-8", "UTF-8")
        strings = tf.strings.regex_replace(strings, SPACE, " ")
        if self.lowercase:
            strings = tf.strings.lower(strings, encoding="utf-8")
        strings = tf.strings.regex_replace(strings, PUNCTUATION, r" \0 ")
        words = tf.strings.split(strings)
        return words[:, : self.max_length - 2]

    def spell(self, words: tf.RaggedTensor) -> tf.Tensor:
        """Words (B, None), as `split` gives them -> their characters (B, T, C), int32.

        START and END of each sentence are among its words, and `PAD` behind them.
        """
        start, end = spell_marks(self.max_characters)
        ones = tf.ones((words.nrows(), 1, 1), tf.int32)
        spelled = words.with_values(self.spell_flat(words.values))  # (B, None, C)
        sentences = tf.concat([ones * start, spelled, ones * end], axis=1)
        # Two words at least, though there be no sentence at all.
        length = tf.reduce_max(tf.concat([sentences.row_lengths(), [2]], axis=0))
        shape = tf.stack([words.nrows(), length, self.max_characters])
        characters = sentences.to_tensor(PAD, shape=shape)
        return tf.ensure_shape(characters, (None, None, self.max_characters))

    def spell_flat(self, words):
        """Words, strings (n,) -> their characters (n, C), int32."""
        room = self.max_characters - 2
        characters = tf.io.decode_raw(words, tf.uint8, fixed_length=room)  # (n, C - 2)
        characters = tf.cast(characters, tf.int32) + FIRST_BYTE
        lengths = tf.minimum(tf.strings.length(words), room)[:, None]  # in bytes
        places = tf.range(room + 1)[None]  # behind the mark of the start
        ids = tf.pad(characters, ((0, 0), (0, 1)))
        ids = tf.where(places < lengths, ids, PAD)
        ids = tf.where(places == lengths, END_OF_WORD, ids)
        return tf.pad(ids, ((0, 0), (1, 0)), constant_values=START_OF_WORD)

    def words(self, strings: Sequence[str]) -> list[list[str]]:
        """The words of sentences, to train with."""
        return [
            [word.decode() for word in words] for words in self.split(strings).to_list()
        ]
