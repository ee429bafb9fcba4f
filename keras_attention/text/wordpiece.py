"""Sentences (B,) -> token ids (B, T) by BERT's WordPiece, in the graph."""

import collections
import os
import pathlib
from collections.abc import Sequence

import tensorflow as tf

from keras_attention.files.replaced_file import replaced_file
from keras_attention.text.untuned_data import untuned

SPECIAL = PAD, UNKNOWN, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
# Characters of a word from which on it is `UNKNOWN` as a whole, as in BERT's code.
LONGEST_WORD = 100


class WordPieceTokenizer(tf.Module):
    """Cut sentences into the longest pieces of a vocabulary, word by word.

    Words end at spaces and punctuation; a Chinese character is a word. A word that the
    pieces do not make up is `[UNK]` as a whole. It works in Python as in a served
    graph.

    Args:
        vocabulary: V pieces in the order of their ids; those that go on with a word
            begin with "##". "[PAD]" is the first one, and "[UNK]", "[CLS]", "[SEP]" and
            "[MASK]" are among them.
        lowercase: Make letters small first, as the pieces of "uncased" models want it.
        strip_accents: Whether accents are taken away then, too, and syllables of Hangul
            into their letters, as in BERT's own models; others have whole syllables in
            their vocabulary. None: as `lowercase`.

    Attributes:
        vocabulary, lowercase, strip_accents: The same.
        vocab_size: V.
        cls_id, sep_id, mask_id: Ids of these special tokens.
        special_ids: Of all five.

    Raises:
        ValueError: A special token is missing, "[PAD]" is not the first piece, or a
            piece is there twice; or accents are to go, but capital letters to stay.
        ImportError: tensorflow-text is not installed.

    Source:
        Devlin et al., 2019, section 3; Wu et al., 2016, section 4.1; the algorithm:
        Song et al., 2021, in tensorflow-text.

    Example:
        >>> pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "dog", "##s", "run"]
        >>> tokenizer = WordPieceTokenizer(pieces)
        >>> tokenizer.tokenize(["Dogs run"]).to_list()
        [[5, 6, 7]]
        >>> tokenizer.pack(tokenizer.tokenize(["Dogs run", "dog"]), 8).numpy().tolist()
        [[2, 5, 6, 7, 3], [2, 5, 3, 0, 0]]
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        lowercase: bool = True,
        strip_accents: bool | None = None,
    ):
        super().__init__()
        vocabulary = list(vocabulary)
        _require_vocabulary(vocabulary)
        self.vocabulary = vocabulary
        self.lowercase = lowercase
        self.strip_accents = lowercase if strip_accents is None else strip_accents
        if self.strip_accents and not lowercase:
            raise ValueError(
                "WordPieceTokenizer: got strip_accents=True and lowercase=False, but "
                "accents are taken away from small letters only. Change one of them."
            )
        self.vocab_size = len(vocabulary)
        self.special_ids = tuple(map(vocabulary.index, SPECIAL))
        _, self._unknown_id, self.cls_id, self.sep_id, self.mask_id = self.special_ids
        self._tokenizer = _tensorflow_text().FastBertTokenizer(
            vocabulary,
            token_out_type=tf.int32,
            unknown_token=UNKNOWN,
            lower_case_nfd_strip_accents=self.strip_accents,
        )

    @classmethod
    def train(
        cls, lines: Sequence[str], vocab_size: int = 8000, lowercase: bool = True
    ):
        """Learn a vocabulary from one's own text, by tensorflow-text.

        It takes about a minute for 20,000 different words.

        Args:
            lines: Sentences.
            vocab_size: Most pieces. The number comes out up to 5 % smaller, and smaller
                still where the text has not so many that come 10 times.
            lowercase: As for the constructor.

        Raises:
            ValueError: There is no word in the lines.

        Source:
            tensorflow-text's `bert_vocab_from_dataset`: from all pieces of all words it
            keeps those that come often and are not mere parts of others that do.
        """
        words = sum(len(line.split()) for line in lines)
        if not words:
            raise ValueError(
                f"WordPieceTokenizer.train: got {len(lines)} lines without a word, but "
                f"pieces are learned from words. Give lines of text."
            )
        _tensorflow_text()
        from tensorflow_text.tools.wordpiece_vocab import bert_vocab_from_dataset

        batches = untuned(tf.data.Dataset.from_tensor_slices(list(lines)).batch(1000))
        # Pieces that come so often, V of them, would take more letters than there are.
        # The search for how often they must come begins there; else it would begin at
        # the most frequent word, and take twice as long.
        most_often = max(10, sum(map(len, lines)) // vocab_size)
        vocabulary = bert_vocab_from_dataset.bert_vocab_from_dataset(
            batches,
            vocab_size,
            list(SPECIAL),
            {"lower_case": lowercase},
            {"upper_thresh": most_often},
        )
        return cls(vocabulary, lowercase)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike,
        lowercase: bool = True,
        strip_accents: bool | None = None,
    ):
        """Read a vocabulary: BERT's vocab.txt, a piece a line.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: As for the constructor; or it is not valid UTF-8.
        """
        path = pathlib.Path(path)
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"WordPieceTokenizer: got {path}, but there is no such file. Give the "
                f"vocab.txt of a model."
            ) from error
        except UnicodeDecodeError as error:
            raise ValueError(
                f"WordPieceTokenizer: got {path}, but it is not valid UTF-8 ({error}). "
                f"Download it again."
            ) from error
        lines = lines[:-1] if lines[-1] == "" else lines
        pieces = [line.removesuffix("\r") for line in lines]
        return cls(pieces, lowercase, strip_accents)

    def save(self, path: str | os.PathLike):
        """Write what `load` reads; a failure leaves what was there before."""
        text = "".join(f"{piece}\n" for piece in self.vocabulary)
        with replaced_file(path) as aside:
            aside.write_text(text, encoding="utf-8")

    def tokenize(self, strings) -> tf.RaggedTensor:
        """Sentences (B,) -> ids (B, None), int32, without special tokens."""
        strings = tf.convert_to_tensor(strings, dtype=tf.string)
        if self.lowercase and not self.strip_accents:
            strings = tf.strings.lower(strings, encoding="utf-8")
        return self._tokenizer.tokenize(strings).merge_dims(1, -1)

    def pack(self, ids: tf.RaggedTensor, max_length: int) -> tf.Tensor:
        """Ids (B, None) -> [CLS], ids and [SEP], (B, T), padded to the longest.

        What is more than `max_length` tokens, the special ones included, is cut off, as
        the model has no more positions.
        """
        ids = ids[:, : max_length - 2]
        ends = tf.ones((ids.nrows(), 1), tf.int32)
        return tf.concat(
            [self.cls_id * ends, ids, self.sep_id * ends], axis=1
        ).to_tensor()

    def pack_pairs(self, firsts, seconds, max_length: int):
        """Ids of two sentences -> [CLS] first [SEP] second [SEP], and their segments.

        Of a pair of more than `max_length` tokens the ends of the longer sentence are
        cut off until it fits, as in BERT's code.

        Args:
            firsts, seconds: Ids (B, None).
            max_length: Tokens, the special ones included.

        Returns:
            Ids and segments, (B, T) each; 1 is the segment of the second and its [SEP].
        """
        room = max_length - 3
        lengths = [ids.row_lengths() for ids in (firsts, seconds)]
        keep = tf.maximum(room - lengths[1], room - room // 2)
        firsts = cut(firsts, keep)
        seconds = cut(seconds, room - firsts.row_lengths())
        ends = tf.ones((firsts.nrows(), 1), tf.int32)
        cls, sep = self.cls_id * ends, self.sep_id * ends
        first = tf.concat([cls, firsts, sep], axis=1)
        second = tf.concat([seconds, sep], axis=1)
        token_ids = tf.concat([first, second], axis=1)
        segment_ids = tf.concat([0 * first, tf.ones_like(second)], axis=1)
        return token_ids.to_tensor(), segment_ids.to_tensor()

    def encode(self, texts, seconds=None, *, max_length: int) -> dict:
        """Sentences (B,), or pairs of them, -> what a `Bert` takes.

        Args:
            texts: Strings (B,).
            seconds: As many, the second of each pair; or None.
            max_length: Tokens, the special ones included.

        Returns:
            {"token_ids": (B, T), "segment_ids": (B, T)}, int32 tensors.
        """
        ids = self.tokenize(texts)
        if seconds is None:
            token_ids = self.pack(ids, max_length)
            segment_ids = tf.zeros_like(token_ids)
        else:
            token_ids, segment_ids = self.pack_pairs(
                ids, self.tokenize(seconds), max_length
            )
        return {"token_ids": token_ids, "segment_ids": segment_ids}

    def encode_words(self, words, *, max_length: int) -> dict:
        """Sentences cut into words -> what a `BertTagger` takes.

        Args:
            words: For each sentence a sequence of its words; or a `tf.RaggedTensor` of
                strings (B, None).
            max_length: Tokens, the special ones included.

        Returns:
            {"token_ids": (B, T), "segment_ids": (B, T), "positions": (B, W)}, int32
            tensors; a word's position is that of its first piece, and 0 for one that is
            cut off, as for one that is not there.
        """
        if not isinstance(words, tf.RaggedTensor):
            words = tf.ragged.constant(words, dtype=tf.string, ragged_rank=1)
        # Even a word of nothing, such as a control character, is asked about.
        pieces = or_else(self.tokenize(words.values), self._unknown_id)
        pieces = words.with_values(pieces)  # (B, None words, None pieces)
        lengths = tf.cast(pieces.row_lengths(axis=2).to_tensor(), tf.int32)  # (B, W)
        positions = 1 + tf.cumsum(lengths, axis=1, exclusive=True)
        is_word = tf.sequence_mask(words.row_lengths(), tf.shape(lengths)[1])
        fits = is_word & (positions < max_length - 1)
        token_ids = self.pack(pieces.merge_dims(1, 2), max_length)
        return {
            "token_ids": token_ids,
            "segment_ids": tf.zeros_like(token_ids),
            "positions": tf.where(fits, positions, 0),
        }

    def pieces(self, sentence: str) -> list[str]:
        """The pieces of one sentence, to look at."""
        return [self.vocabulary[id] for id in self.tokenize([sentence])[0].numpy()]


def cut(ids: tf.RaggedTensor, lengths) -> tf.RaggedTensor:
    """The first ids of each row, as many as (B,) lengths say."""
    places = tf.ragged.range(ids.row_lengths())
    return tf.ragged.boolean_mask(ids, places < lengths[:, None])


def or_else(ids: tf.RaggedTensor, id: int) -> tf.RaggedTensor:
    """The same rows, but with this id in those that are empty."""
    empty = tf.cast(ids.row_lengths() == 0, tf.int64)
    fillers = tf.fill([tf.reduce_sum(empty)], id)
    return tf.concat([ids, tf.RaggedTensor.from_row_lengths(fillers, empty)], axis=1)


def _require_vocabulary(vocabulary):
    missing = [piece for piece in SPECIAL if piece not in vocabulary]
    if missing:
        raise ValueError(
            f"WordPieceTokenizer: got a vocabulary of {len(vocabulary)} pieces without "
            f"{', '.join(missing)}, but these have a meaning to the model. Give the "
            f"vocab.txt of a BERT model."
        )
    if vocabulary[0] != PAD:
        raise ValueError(
            f"WordPieceTokenizer: got {vocabulary[0]!r} as the first piece, but id 0 "
            f"is padding everywhere here. Put {PAD} first, and the model's embeddings "
            f"into the same order."
        )
    piece, count = collections.Counter(vocabulary).most_common(1)[0]
    if count > 1:
        raise ValueError(
            f"WordPieceTokenizer: got the piece {piece!r} {count} times, but each has "
            f"one id. Give each once."
        )


def _tensorflow_text():
    try:
        import tensorflow_text
    except ImportError as error:
        raise ImportError(
            "WordPieceTokenizer: got no tensorflow-text, but needs it to cut words. "
            "Run: pip install tensorflow-text"
        ) from error
    return tensorflow_text
