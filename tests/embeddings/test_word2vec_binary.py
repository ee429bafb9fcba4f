import io

import numpy as np
import pytest

from keras_attention.embeddings.word2vec_binary import LONGEST_WORD, read_binary

NUMBERS = np.array([[1, 2, 3], [4, 5, 6]], "<f4")


def content(words=(b"dog", b"cat"), count=2, numbers=NUMBERS, end=b"\n"):
    rows = (word + b" " + row.tobytes() + end for word, row in zip(words, numbers))
    return f"{count} 3\n".encode() + b"".join(rows)


def read(data, encoding="utf-8"):
    return read_binary(io.BytesIO(data), "words.bin", encoding, "strict")


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_words_and_numbers(end):
    words, matrix = read(content(end=end))
    assert words == ["dog", "cat"]
    np.testing.assert_array_equal(matrix, NUMBERS)


@pytest.mark.parametrize("size", [5, 8, 15, 20, -3])
def test_a_cut_file_is_refused(size):
    message = r"got only [01] whole vectors in words.bin, but its first line says 2"
    with pytest.raises(ValueError, match=message):
        read(content()[:size])


def test_a_file_that_goes_on_is_refused():
    message = "got more than 1 vectors of 3 numbers in words.bin"
    with pytest.raises(ValueError, match=message):
        read(content(count=1))


def test_a_word_that_never_ends_is_refused():
    with pytest.raises(ValueError, match="got only 0 whole vectors"):
        read(b"9 3\n" + b"x" * (LONGEST_WORD + 5))


def test_a_word_that_comes_twice_is_named():
    message = "got 'dog' twice, in places 1 and 2 of words.bin"
    with pytest.raises(ValueError, match=message):
        read(content(words=(b"dog", b"dog")))


def test_a_word_in_another_encoding_is_named():
    data = content(words=(b"dog", "개".encode("cp949")))
    with pytest.raises(ValueError, match="got byte 0xb0 in word 2 of words.bin, but"):
        read(data)
    assert read(data, encoding="cp949")[0] == ["dog", "개"]


def test_a_vector_that_is_no_number_is_named():
    numbers = NUMBERS.copy()
    numbers[1, 2] = np.nan
    with pytest.raises(ValueError, match="got NaN or an infinite number in word 2 of"):
        read(content(numbers=numbers))
