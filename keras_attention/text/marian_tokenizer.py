"""Sentences (B,) <-> token ids (B, T): sentencepiece's pieces, numbered by a list."""

import json
import os
import zipfile
import zlib
from collections.abc import Sequence

import tensorflow as tf

from keras_attention.files.replaced_file import replaced_file
from keras_attention.special_tokens import END, PAD, START, UNKNOWN
from keras_attention.text.tokenizer import SubwordTokenizer, load_sentencepiece

MODEL_FILE = "sentencepiece.model"
VOCABULARY_FILE = "vocabulary.json"

# What comes of a damaged file: of zipfile all but the last two.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
)

# What sentencepiece writes for a space.
SPACE = "\u2581"

# At the start of a sentence: what a model for several languages is to translate into.
LANGUAGE_CODE = "(?s)^>>.*?<<"

# All that Python's `str.strip` takes away.
WHITESPACE = r"[\s\x0b\x1c-\x1f\x{85}\p{Z}]+"


class MarianTokenizer(tf.Module):
    """Turn sentences into token ids and back as Marian's folders have it.

    A sentencepiece model cuts a sentence into pieces, and a list of its own numbers
    them: that of both languages, while the sentencepiece model may know only one. A
    piece that is not in the list is `UNKNOWN`. A sentence may begin with a language
    code, ">>fra<<", which is one piece. It works in Python as in a served graph, and is
    a `tf.Module`, as `SubwordTokenizer` is.

    Args:
        model_proto: Serialized sentencepiece model.
        vocabulary: V pieces in the order of their ids. The first four stand for `PAD`,
            `UNKNOWN`, `START` and `END`, whatever their names.

    Attributes:
        model_proto: The same bytes.
        vocabulary: The same list.
        vocab_size: V.

    Raises:
        ValueError: the bytes are no whole sentencepiece model, or a piece is in the
            list twice.
        ImportError: tensorflow-text is not installed.

    Source:
        transformers' MarianTokenizer. Departures: the names of special tokens are text
        like any other where they stand in a sentence; and an empty sentence has no
        token.

    Example:
        >>> lines = ["a dog runs", "a dog sleeps", "a cat runs"]
        >>> trained = SubwordTokenizer.train(lines, vocab_size=20, model_type="bpe")
        >>> pieces = ["<pad>", "<unk>", "<s>", "</s>", "\u2581a", ">>fra<<", "\u2581d"]
        >>> tokenizer = MarianTokenizer(trained.model_proto, pieces)
        >>> tokenizer.pieces(">>fra<< a a")
        ['>>fra<<', '▁a', '▁a']
        >>> tokenizer.detokenize(tokenizer.tokenize([">>fra<< a a"])).numpy()[0]
        b'>>fra<< a a'
    """

    def __init__(self, model_proto: bytes, vocabulary: Sequence[str]):
        super().__init__(name="marian_tokenizer")
        self.model_proto = model_proto
        self.vocabulary = list(vocabulary)
        self.vocab_size = len(self.vocabulary)
        require_distinct(self.vocabulary[END + 1 :])
        self._pieces = tf.constant(self.vocabulary)
        self._cutter = load_sentencepiece(model_proto)
        self._cutter.out_type = tf.string
        ids = range(END + 1, self.vocab_size)  # special tokens stand in no sentence
        self._ids = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                self.vocabulary[END + 1 :], list(ids), tf.string, tf.int32
            ),
            default_value=UNKNOWN,
        )

    @classmethod
    def load(cls, path: str | os.PathLike) -> "MarianTokenizer":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it can not be read.
        """
        try:
            with zipfile.ZipFile(path) as file:
                vocabulary = json.loads(file.read(VOCABULARY_FILE))
                return cls(file.read(MODEL_FILE), vocabulary)
        except FileNotFoundError:
            raise
        except DAMAGED as error:
            raise ValueError(
                f"MarianTokenizer.load: got the file {path}, but it can not be read "
                f"({type(error).__name__}: {error}). Save the tokenizer again."
            ) from error

    def save(self, path: str | os.PathLike):
        """Write all into one file; a failure leaves what was there before."""
        with (
            replaced_file(path) as aside,
            zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as file,
        ):
            file.writestr(MODEL_FILE, self.model_proto)
            file.writestr(VOCABULARY_FILE, json.dumps(self.vocabulary))

    def tokenize(self, strings) -> tf.RaggedTensor:
        """Sentences -> token ids, with no special tokens added.

        Args:
            strings: (B,), a list of str or bytes, a NumPy array or a string tensor.

        Returns:
            Ragged (B, None), int32. An empty sentence has no tokens.
        """
        pieces = self._cut(strings)  # (B, None)
        return pieces.with_flat_values(self._ids.lookup(pieces.flat_values))

    def detokenize(self, ids) -> tf.Tensor:
        """Token ids -> sentences; what follows the first `END` is ignored.

        Args:
            ids: (B, T), integers: a dense or ragged tensor, an array or a list of
                lists. Special tokens vanish, `UNKNOWN` too.

        Returns:
            (B,), tf.string, in UTF-8.
        """
        if isinstance(ids, (list, tuple)):
            ids = tf.ragged.constant(ids, ragged_rank=1)
        if isinstance(ids, tf.RaggedTensor):
            ids = ids.to_tensor(PAD)
        ids = tf.cast(ids, tf.int32)
        ended = tf.cumsum(tf.cast(ids == END, tf.int32), axis=1) > 0
        kept = tf.ragged.boolean_mask(ids, ~ended & (ids > END))  # (B, None)
        pieces = kept.with_flat_values(tf.gather(self._pieces, kept.flat_values))
        text = self._cutter.detokenize(pieces)
        # Pieces that the sentencepiece model does not know keep their sign for a space.
        text = tf.strings.regex_replace(text, SPACE, " ")
        return tf.strings.regex_replace(text, f"^{WHITESPACE}|{WHITESPACE}$", "")

    def id_to_piece(self, id: int) -> str:
        """The piece of text behind one id; "▁" in it stands for a space.

        Raises:
            ValueError: the id is outside the vocabulary.
        """
        if not 0 <= id < self.vocab_size:
            raise ValueError(
                f"MarianTokenizer: got ids [{id}], but the ids of this vocabulary go "
                f"from 0 to {self.vocab_size - 1}. Check that the ids come from this "
                f"tokenizer."
            )
        return self.vocabulary[id]

    def ids_to_pieces(self, ids) -> tf.Tensor:
        """The piece of text behind each id, in a graph too.

        Args:
            ids: (B, T), integers; "" stands for `PAD` and `START`.

        Returns:
            (B, T), tf.string; "▁" stands for a space.
        """
        ids = tf.cast(ids, tf.int32)
        silent = (ids == PAD) | (ids == START)
        return tf.where(silent, "", tf.gather(self._pieces, ids))

    def pieces(self, sentence: str) -> list[str]:
        """The pieces of one sentence, for a plot or a look: one for each token."""
        return [self.vocabulary[id] for id in self.tokenize([sentence])[0].numpy()]

    def _cut(self, strings):
        """Sentences (B,) -> pieces (B, None), strings; a language code is one."""
        strings = tf.convert_to_tensor(strings, tf.string)
        rest = tf.strings.regex_replace(strings, LANGUAGE_CODE, "")  # (B,)
        code_lengths = tf.strings.length(strings) - tf.strings.length(rest)
        codes = tf.strings.substr(strings, tf.zeros_like(code_lengths), code_lengths)
        has_code = (code_lengths > 0)[:, None]
        codes = tf.ragged.boolean_mask(codes[:, None], has_code)  # (B, 0 or 1)
        return tf.concat([codes, self._cutter.tokenize(rest)], axis=1)


def require_distinct(vocabulary):
    """Raise ValueError unless each piece has one id."""
    if len(set(vocabulary)) < len(vocabulary):
        twice = next(p for p in vocabulary if vocabulary.count(p) > 1)
        raise ValueError(
            f"MarianTokenizer: got the piece {twice!r} {vocabulary.count(twice)} times "
            f"in a vocabulary of {len(vocabulary)}, but a piece has one id. Remove all "
            f"but one."
        )


def load_tokenizer(path: str | os.PathLike) -> "SubwordTokenizer | MarianTokenizer":
    """Read a tokenizer of either kind, as its `save` wrote it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it can not be read.
    """
    kind = MarianTokenizer if zipfile.is_zipfile(path) else SubwordTokenizer
    return kind.load(path)
