import pathlib
import struct

import pytest

from keras_attention.embeddings.fasttext_binary import MAGIC, load_fasttext

datapath = pytest.importorskip("gensim.test.utils").datapath

# The settings of a model of D = 2, and two words.
SETTINGS = struct.pack("<12id", 2, 5, 5, 1, 5, 1, 2, 2, 0, 3, 6, 100, 1e-4)
DOG = b"dog\0" + struct.pack("<qb", 9, 0)
CAT = b"cat\0" + struct.pack("<qb", 8, 0)


def load(content, tmp_path, errors="strict"):
    path = tmp_path / "copy.bin"
    path.write_bytes(content)
    return load_fasttext(path, "words.bin", "utf-8", errors)


def model(words=DOG + CAT, count=2, labels=0, compressed=False, width=2):
    dictionary = struct.pack("<3iqq", count, count, labels, 17, -1) + words
    matrix = struct.pack("<?2q", compressed, count, width) + bytes(
        max(0, 4 * count * width)
    )
    return MAGIC + struct.pack("<i", 12) + SETTINGS + dictionary + matrix + matrix


@pytest.mark.parametrize("name", ["crime-and-punishment.bin", "lee_fasttext.bin"])
def test_a_real_file_that_is_cut_is_refused_wherever_it_is(name, tmp_path):
    content = pathlib.Path(datapath(name)).read_bytes()
    for size in (6, 30, 70, 90, 95, 1000, len(content) // 2, len(content) - 1):
        message = rf"got words.bin with {size} bytes, but.*it is cut or damaged behind"
        with pytest.raises(ValueError, match=message):
            load(content[:size], tmp_path)


def test_a_classifier_is_refused(tmp_path):
    message = "got words.bin, a fastText classifier with 2 labels, but gensim"
    with pytest.raises(ValueError, match=message):
        load(model(labels=2), tmp_path)
    real = pathlib.Path(datapath("pang_lee_polarity_fasttext.bin")).read_bytes()
    with pytest.raises(ValueError, match=message):
        load(real, tmp_path)


def test_a_compressed_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a compressed fastText model \(.ftz\)"):
        load(model(compressed=True), tmp_path)


def test_a_width_other_than_that_of_the_settings_is_refused(tmp_path):
    message = "got vectors of 3 numbers in words.bin, but its settings say 2"
    with pytest.raises(ValueError, match=message):
        load(model(width=3), tmp_path)


def test_a_word_that_comes_twice_is_named(tmp_path):
    message = "got 'dog' twice, in places 1 and 2 of words.bin"
    with pytest.raises(ValueError, match=message):
        load(model(words=DOG + DOG), tmp_path)


def test_sizes_below_zero_are_refused(tmp_path):
    with pytest.raises(ValueError, match="cut or damaged"):
        load(model(width=-2).replace(SETTINGS[:4], struct.pack("<i", -2), 1), tmp_path)


def test_a_word_in_another_encoding_is_named(tmp_path):
    real = pathlib.Path(datapath("cp852_fasttext.bin"))
    with pytest.raises(ValueError, match="got byte 0xec in word 2 of words.bin, but"):
        load(real.read_bytes(), tmp_path)
    assert "který" in load_fasttext(real, real, "cp852", "strict").key_to_index
    escaped = load(real.read_bytes(), tmp_path, errors="backslashreplace")
    assert "kter\\xec" in escaped.key_to_index
