import gzip
import shutil
import struct

import numpy as np
import pytest

from keras_attention.embeddings.loading import load_word_vectors

gensim = pytest.importorskip("gensim", reason="gensim is not installed")
datapath = pytest.importorskip("gensim.test.utils").datapath

KeyedVectors = gensim.models.KeyedVectors
load_facebook_vectors = gensim.models.fasttext.load_facebook_vectors

# Real files of gensim's, and gensim's own way to load each, told the format.
REAL = {
    "crime-and-punishment.vec": KeyedVectors.load_word2vec_format,
    "lee_fasttext.vec": KeyedVectors.load_word2vec_format,
    "word2vec_pre_kv_c": KeyedVectors.load_word2vec_format,
    "high_precision.kv.txt": KeyedVectors.load_word2vec_format,
    "euclidean_vectors.bin": lambda path: KeyedVectors.load_word2vec_format(
        path, binary=True
    ),
    "high_precision.kv.bin": lambda path: KeyedVectors.load_word2vec_format(
        path, binary=True
    ),
    "test_glove.txt": lambda path: KeyedVectors.load_word2vec_format(
        path, no_header=True
    ),
    "crime-and-punishment.bin": load_facebook_vectors,
    "lee_fasttext_new.bin": load_facebook_vectors,
    "lee_fasttext.bin": load_facebook_vectors,
    "non_ascii_fasttext.bin": load_facebook_vectors,
}
every_file = pytest.mark.parametrize("name", REAL)


# gensim's own loader of files without a header leaves them open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@every_file
def test_a_real_file_gives_what_gensim_gives_when_told_the_format(name):
    vectors, expected = load_word_vectors(datapath(name)), REAL[name](datapath(name))
    assert type(vectors) is type(expected)
    assert vectors.index_to_key == expected.index_to_key
    np.testing.assert_allclose(vectors.vectors, expected.vectors, rtol=1e-6)


@every_file
def test_the_format_is_seen_from_what_is_in_it_and_not_from_the_name(name, tmp_path):
    gzipped, plain = tmp_path / "gzipped.vec", tmp_path / "plain.txt.gz"
    with open(datapath(name), "rb") as file:
        gzipped.write_bytes(gzip.compress(file.read()))
    shutil.copy(datapath(name), plain)
    expected = load_word_vectors(datapath(name))
    for path in (gzipped, plain):
        vectors = load_word_vectors(path)
        assert vectors.index_to_key == expected.index_to_key
        np.testing.assert_array_equal(vectors.vectors, expected.vectors)


def test_fasttext_has_vectors_for_words_it_has_never_seen():
    path = datapath("crime-and-punishment.bin")
    vectors, expected = load_word_vectors(path), load_facebook_vectors(path)
    assert "landlord" not in vectors.key_to_index
    np.testing.assert_array_equal(vectors["landlord"], expected["landlord"])
    assert vectors["landlord"].any()


@pytest.mark.parametrize(
    "header", [b"2 2\n", b"2  2 \r\n", b"\xef\xbb\xbf2 2\n", b"", b"\xef\xbb\xbf"]
)
def test_a_first_line_of_two_integers_says_the_sizes(tmp_path, header):
    path = tmp_path / "words.txt"
    path.write_bytes(header + b"dog 1 2\ncat 3 4\n")
    assert load_word_vectors(path).vectors.tolist() == [[1, 2], [3, 4]]


def test_the_words_of_another_encoding_are_read_by_its_name(tmp_path):
    path = tmp_path / "korean.txt"
    path.write_bytes("개 1 2\n고양이 3 4\n".encode("cp949"))
    vectors = load_word_vectors(path, encoding="cp949")
    assert vectors.index_to_key == ["개", "고양이"]
    assert vectors["고양이"].tolist() == [3, 4]


@pytest.mark.parametrize("cut", [100, 500])
def test_a_cut_gzip_file_is_refused(tmp_path, cut):
    path = tmp_path / "cut.txt.gz"
    with open(datapath("test_glove.txt"), "rb") as file:
        path.write_bytes(gzip.compress(file.read())[:cut])
    with pytest.raises(ValueError, match=r"cut.txt.gz, but its gzip data ends too ear"):
        load_word_vectors(path)


def test_a_damaged_gzip_file_is_refused(tmp_path):
    path = tmp_path / "damaged.gz"
    content = bytearray(gzip.compress(b"dog 1 2\ncat 3 4\n" * 100))
    content[12:40] = bytes(28)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged.gz, but its gzip data ends too"):
        load_word_vectors(path)


@pytest.mark.parametrize("bom", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_refused(tmp_path, bom):
    path = tmp_path / "wide.txt"
    path.write_bytes("\ufeff개 1 2\n".encode(bom))
    with pytest.raises(ValueError, match="wide.txt in UTF-16.*iconv -f utf-16 -t utf"):
        load_word_vectors(path)


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"\x80\x04\x95\x00\x00", b"PK\x03\x04", bytes(99)]
)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    message = "other, which begins with b'.*', but no known format does.*fastText"
    with pytest.raises(ValueError, match=message):
        load_word_vectors(path)


def test_what_has_the_size_of_old_fasttext_but_not_its_settings_is_refused(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(struct.pack("<12id", *[9] * 12, 0.1))
    with pytest.raises(ValueError, match="no known format does"):
        load_word_vectors(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing.txt"):
        load_word_vectors(tmp_path / "missing.txt")
