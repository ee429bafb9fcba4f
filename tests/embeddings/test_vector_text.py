import io

import numpy as np
import pytest

from keras_attention.embeddings.vector_text import read_text


def read(content, header=False, encoding="utf-8", errors="strict"):
    return read_text(io.BytesIO(content), "words.txt", header, encoding, errors)


def test_words_and_numbers_with_and_without_header():
    without = read(b"dog 1 -2e-1\ncat 3 4\n")
    for words, matrix in (without, read(b"2 2\ndog 1 -0.2 \r\ncat 3 4", header=True)):
        assert words == ["dog", "cat"] and matrix.dtype == "float32"
        np.testing.assert_allclose(matrix, [[1, -0.2], [3, 4]])


def test_empty_lines_and_a_byte_order_mark_say_nothing():
    words, matrix = read(b"\xef\xbb\xbfdog 1 2\n\ncat 3 4\n\n")
    assert words == ["dog", "cat"] and matrix.shape == (2, 2)


def test_words_may_hold_spaces_of_any_kind():
    words, _ = read("a 1 2\n. . 3 4\nat home 5 6\nb\u00a0c 7 8\n\u3000 9 9\n".encode())
    assert words == ["a", ". .", "at home", "b\u00a0c", "\u3000"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"cat 3", "got 1 numbers in line 2 of words.txt, but.*and 2"),
        (b"cat", "got 0 numbers in line 2 of words.txt, but.*and 2"),
        (b"cat 3 4 5", "got 3 numbers in line 2 of words.txt, but.*and 2"),
        (b"cat 3 x", "got b'x' in line 2 of words.txt, but.*2 numbers"),
        (b"cat 3  4", "got b'' in line 2 of words.txt|got 2 numbers in line 2"),
        (b"cat 3 nan", "got NaN or an infinite number in line 2 of words.txt"),
        (b"cat 3 1e99", "got NaN or an infinite number in line 2 of words.txt"),
        (b"dog 3 4", "got 'dog' twice, in lines 1 and 2 of words.txt"),
        (b"c\xe9t 3 4", "got byte 0xe9 in line 2 of words.txt.*valid utf-8.*encoding="),
    ],
)
def test_a_broken_line_is_named(line, message):
    content = b"dog 1 2\n" + line + b"\nbird 5 6\n"
    with pytest.raises(ValueError, match=f"load_word_vectors: {message}"):
        read(content)


def test_a_first_line_without_numbers_is_refused():
    message = "got 0 numbers in line 1 of words.txt, but.*and at least one"
    with pytest.raises(ValueError, match=message):
        read(b"<html>\n")


@pytest.mark.parametrize("count", [1, 3])
def test_a_header_that_counts_other_words_is_refused(count):
    message = f"got 2 words in words.txt, but its first line says {count}"
    with pytest.raises(ValueError, match=message):
        read(f"{count} 2\ndog 1 2\ncat 3 4\n".encode(), header=True)


def test_a_header_of_another_width_is_refused():
    with pytest.raises(ValueError, match="got 2 numbers in line 2 of.*and 3"):
        read(b"1 3\ndog 1 2\n", header=True)


def test_invalid_words_are_kept_escaped_if_asked_for():
    words, _ = read(b"c\xe9t 3 4\n", errors="backslashreplace")
    assert words == ["c\\xe9t"]


def test_two_spaces_are_no_part_of_a_word():
    words, vectors = read(b"1 2\ndog  0.5 1.5\n", header=True)
    assert words == ["dog"] and vectors.tolist() == [[0.5, 1.5]]
