"""Words, each before the bytes of its numbers -> words and a matrix (V, D)."""

import numpy as np

from keras_attention.embeddings.vector_text import (
    OWNER,
    decode,
    require_finite,
    require_new,
)

# Longer than any word; a damaged file may have no space for gigabytes.
LONGEST_WORD = 10_000


def read_binary(file, path, encoding, errors):
    """Read the binary format of word2vec.

    Own code, as gensim's reader drops a word that comes again and names no words.

    Args:
        file: Open for bytes.
        path: Its name, for the messages.
        encoding, errors: See `load_word_vectors`.

    Returns:
        list of str, and (V, D) float32.

    Raises:
        ValueError: See `load_word_vectors`.
    """
    count, d_model = (int(field) for field in file.readline().split())
    numbers, place_of = bytearray(), {}
    for place in range(1, count + 1):
        where = f"word {place} of {path}"
        word = decode(read_word(file), where, encoding, errors)
        vector = file.read(4 * d_model)
        require_whole(vector, d_model, place, count, path)
        require_new(word, place, place_of, f"places {{}} and {{}} of {path}")
        require_finite(np.frombuffer(vector, "<f4"), where)
        place_of[word] = place
        numbers += vector
    require_end(file, count, d_model, path)
    matrix = np.frombuffer(numbers, "<f4").reshape(-1, d_model)
    return list(place_of), matrix


def read_word(file):
    """The bytes up to a space. The word2vec program puts a newline before each word."""
    word = bytearray()
    while (byte := file.read(1)) not in (b" ", b"") and len(word) < LONGEST_WORD:
        word += byte
    return bytes(word.lstrip(b"\n"))


def require_whole(vector, d_model, place, count, path):
    """Raise ValueError if the file ended before the numbers of a word did."""
    if len(vector) < 4 * d_model:
        raise ValueError(
            f"{OWNER}: got only {place - 1} whole vectors in {path}, but its first "
            f"line says {count}: it is cut. Fetch the file again."
        )


def require_end(file, count, d_model, path):
    """Raise ValueError if there is more than the first line says."""
    if file.read(2).strip():
        raise ValueError(
            f"{OWNER}: got more than {count} vectors of {d_model} numbers in {path}, "
            f"but its first line says so. Correct that line, or fetch the file again."
        )
