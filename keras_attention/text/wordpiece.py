"""Sentences (B,) -> token ids (B, T) by BERT's WordPiece, in the graph."""

import collections
import os
import pathlib
from collections.abc import Sequence

import tensorflow as tf

PAD, UNKNOWN, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
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
        lowercase: Make letters small and take accents away first, as the pieces of
            "uncased" models want it.

    Attributes:
        vocabulary, lowercase: The same.
        vocab_size: V.
        cls_id, sep_id, mask_id: Ids of these special tokens.

    Raises:
        ValueError: A special token is missing, "[PAD]" is not the first piece, or a
            piece is there twice.
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

    def __init__(self, vocabulary: Sequence[str], lowercase: bool = True):
        super().__init__()
        vocabulary = list(vocabulary)
        _require_vocabulary(vocabulary)
        self.vocabulary = vocabulary
        self.lowercase = lowercase
        self.vocab_size = len(vocabulary)
        self.cls_id, self.sep_id, self.mask_id = map(vocabulary.index, (CLS, SEP, MASK))
        self._tokenizer = _tensorflow_text().FastBertTokenizer(
            vocabulary,
            token_out_type=tf.int32,
            unknown_token=UNKNOWN,
            lower_case_nfd_strip_accents=lowercase,
        )

    @classmethod
    def load(cls, path: str | os.PathLike, lowercase: bool = True):
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
        return cls([line.removesuffix("\r") for line in lines], lowercase)

    def save(self, path: str | os.PathLike):
        """Write what `load` reads."""
        text = "".join(f"{piece}\n" for piece in self.vocabulary)
        pathlib.Path(path).write_text(text, encoding="utf-8")

    def tokenize(self, strings) -> tf.RaggedTensor:
        """Sentences (B,) -> ids (B, None), int32, without special tokens."""
        strings = tf.convert_to_tensor(strings, dtype=tf.string)
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

    def pieces(self, sentence: str) -> list[str]:
        """The pieces of one sentence, to look at."""
        return [self.vocabulary[id] for id in self.tokenize([sentence])[0].numpy()]


def _require_vocabulary(vocabulary):
    missing = [
        piece for piece in (PAD, UNKNOWN, CLS, SEP, MASK) if piece not in vocabulary
    ]
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
