"""A file of word vectors, of any known format -> gensim's table of them."""

import codecs
import contextlib
import gzip
import os
import pathlib
import re
import shutil
import struct
import tempfile
import zlib

from keras_attention.embeddings.fasttext_binary import MAGIC, load_fasttext
from keras_attention.embeddings.gensim_models import import_gensim, keyed_vectors
from keras_attention.embeddings.vector_text import read_text
from keras_attention.embeddings.word2vec_binary import read_binary

GZIP_MAGIC = b"\x1f\x8b"
HEADER = re.compile(rb"(\xef\xbb\xbf)?\d+ +[1-9]\d*[ \t\r]*\n")
# Bytes that text has never, and float32 numbers have soon.
BINARY = re.compile(rb"[\x00-\x08]")
WIDE_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What is looked at to tell the formats apart, in bytes.
LOOK = 1 << 16


def load_word_vectors(
    path: str | os.PathLike, encoding: str = "utf-8", errors: str = "strict"
):
    """Load word vectors from a file; its format is seen from what is in it.

    word2vec as text (first line: how many words, how many numbers each) or binary;
    GloVe's text (no such line); fastText's binary, whose character n-grams give unseen
    words a vector, too. Any of them gzipped or not, whatever the name.

    Args:
        path: The file.
        encoding: Of the words, such as "utf-8" or "cp949".
        errors: What to do with words that are not valid in it, as for `bytes.decode`:
            "strict" refuses them, "backslashreplace" keeps what can be read.

    Returns:
        `gensim.models.KeyedVectors`, of fastText `FastTextKeyedVectors`: see
        `train_word2vec` and `train_fasttext` for their use.

    Raises:
        ValueError: If the file is of no known format, cut, or not in `encoding`; if a
            line has other than one word and D numbers; if a word comes twice. The
            message names the line, or for binary files the word.
        ImportError: If gensim is not installed.

    Source:
        The formats are those of the word2vec, GloVe and fastText programs. Departures:
        fastText's classifiers and compressed models (`.ftz`) are refused, as gensim
        has no vectors for them.

    Example:

    >>> from gensim.test.utils import datapath
    >>> vectors = load_word_vectors(datapath("test_glove.txt"))
    >>> vectors.vectors.shape
    (76, 50)
    """
    import_gensim("load_word_vectors")
    path = pathlib.Path(path)
    try:
        with open_unpacked(path) as file:
            kind = recognize(path, file.read(LOOK))
            file.seek(0)
            if kind == "fasttext":
                with plain_path(path, file) as plain:
                    return load_fasttext(plain, path, encoding, errors)
            if kind == "word2vec binary":
                words, matrix = read_binary(file, path, encoding, errors)
            else:
                header = kind == "word2vec text"
                words, matrix = read_text(file, path, header, encoding, errors)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"load_word_vectors: got {path}, but its gzip data ends too early or is "
            f"damaged ({error}). Fetch the file again."
        ) from error
    return keyed_vectors("load_word_vectors", words, matrix)


def recognize(path, start):
    """The format of a file, by its first bytes."""
    if start.startswith(MAGIC):
        return "fasttext"
    if start.startswith(WIDE_ENCODINGS):
        raise ValueError(
            f"load_word_vectors: got {path} in UTF-16, but lines are split at single "
            f"bytes. Convert the file, such as: iconv -f utf-16 -t utf-8 FILE"
        )
    if BINARY.search(start):
        if HEADER.match(start):
            return "word2vec binary"
        if is_old_fasttext(start):
            return "fasttext"
    elif start.strip():
        return "word2vec text" if HEADER.match(start) else "glove"
    raise ValueError(
        f"load_word_vectors: got {path}, which begins with {start[:16]!r}, but no "
        f"known format does. Give a file of word2vec (text or binary), GloVe or "
        f"fastText; gensim.models.KeyedVectors.load loads what its `save` wrote."
    )


def is_old_fasttext(start):
    """Whether bytes are the settings that fastText of 2016 wrote first, unmarked."""
    if len(start) < 56:
        return False
    *_, loss, model, _, shortest, longest, _ = struct.unpack_from("<12i", start)
    return loss in (1, 2, 3) and model in (1, 2, 3) and 0 <= shortest <= longest < 100


def open_unpacked(path):
    """Open for bytes a file that is gzipped or not."""
    with open(path, "rb") as file:
        gzipped = file.read(2) == GZIP_MAGIC
    return gzip.open(path) if gzipped else open(path, "rb")


@contextlib.contextmanager
def plain_path(path, file):
    """The path of an unpacked file, or copy, for gensim, which unpacks by the name."""
    if path.suffix == ".bin" and not isinstance(file, gzip.GzipFile):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "vectors.bin"
        with open(copy, "wb") as target:
            shutil.copyfileobj(file, target)
        yield copy
