import gzip

import pytest

from keras_attention.text.corpus import read_lines, read_sentence_pairs

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def write(tmp_path):
    """Write bytes to a file of the given name, and return its path."""

    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_file


def test_two_files_give_their_lines_in_order(write):
    source = write("source.txt", "개가 달린다.\n고양이가 잔다.\n".encode())
    target = write("target.txt", b"A dog runs.\nA cat sleeps.\n")
    assert read_sentence_pairs(source, target) == (
        ["개가 달린다.", "고양이가 잔다."],
        ["A dog runs.", "A cat sleeps."],
    )


def test_one_file_gives_its_first_two_columns(write):
    path = write("pairs.tsv", "개\tdog\tCC-BY\n고양이\tcat\n\t\n".encode())
    assert read_sentence_pairs(path) == (["개", "고양이", ""], ["dog", "cat", ""])


def test_gzipped_files_are_read_like_plain_ones(write):
    text = "개\tdog\n고양이\tcat\n".encode()
    plain = write("pairs.tsv", text)
    zipped = write("pairs.tsv.gz", gzip.compress(text))
    assert read_sentence_pairs(zipped) == read_sentence_pairs(plain)


def test_a_path_may_be_a_string(write):
    path = write("pairs.tsv", b"a\tb\n")
    assert read_sentence_pairs(str(path)) == (["a"], ["b"])


def test_lines_end_at_newlines_and_at_no_other_character(write):
    inside = "a\rb\x0bc\x0cd\x1ce\x85f\u2028g\u2029h"
    path = write("odd.txt", f"{inside}\nnext".encode())
    assert list(read_lines(path)) == [inside, "next"]


def test_windows_line_ends_and_the_byte_order_mark_are_dropped(write):
    path = write("windows.txt", b"\xef\xbb\xbffirst\r\n\r\n\xef\xbb\xbfthird\r\n")
    assert list(read_lines(path)) == ["first", "", "\ufeffthird"]


@pytest.mark.parametrize("name", ["missing.txt", "missing.txt.gz"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=f"{name}, but there is no such file"):
        read_sentence_pairs(tmp_path / name)


@pytest.mark.parametrize("empty_one", ["source.txt", "target.txt"])
def test_an_empty_file_is_named(write, empty_one):
    source, target = write("source.txt", b"a\n"), write("target.txt", b"b\n")
    write(empty_one, b"")
    with pytest.raises(ValueError, match=rf"got 0 lines in .*{empty_one}"):
        read_sentence_pairs(source, target)


def test_unequal_numbers_of_lines_are_both_named(write):
    source, target = write("source.txt", b"a\nb\nc\n"), write("target.txt", b"a\nb\n")
    with pytest.raises(ValueError, match=r"3 lines in .*source.* and 2 in .*target"):
        read_sentence_pairs(source, target)


def test_a_line_without_a_tab_is_named_by_its_number(write):
    path = write("pairs.tsv", b"a\tb\nno tab here\nc\td\n")
    with pytest.raises(ValueError, match=r"'no tab here' in line 2 of .*pairs\.tsv"):
        read_sentence_pairs(path)


def test_invalid_utf8_is_named_by_its_line_and_byte(write):
    path = write("latin1.txt", b"good\ncaf\xe9 au lait\n")
    with pytest.raises(ValueError, match=r"byte 0xe9 in line 2 of .*latin1\.txt"):
        list(read_lines(path))


@pytest.mark.parametrize(
    "content",
    [b"plain text", gzip.compress(b"a dog runs\n" * 99)[:-9]],
    ids=["not gzip", "cut off"],
)
def test_a_broken_gzip_file_is_named(write, content):
    path = write("broken.gz", content)
    with pytest.raises(ValueError, match=r"broken\.gz, but .* whole gzip file"):
        list(read_lines(path))
