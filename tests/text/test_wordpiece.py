"""Words are cut as BERT cuts them, in Python as in a graph."""

import sys

import pytest
import tensorflow as tf

from keras_attention.text.wordpiece import WordPieceTokenizer

pytestmark = pytest.mark.tensorflow

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [*SPECIAL, "un", "##aff", "##able", "dog", "##s", "!", "naive", "中", "u"]


@pytest.fixture(scope="module")
def tokenizer():
    return WordPieceTokenizer(PIECES)


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("unaffable", ["un", "##aff", "##able"]),  # the example of BERT's own code
        ("Dogs!dog", ["dog", "##s", "!", "dog"]),
        ("naïve", ["naive"]),
        ("中dog", ["中", "dog"]),
        ("unhappy dog", ["[UNK]", "dog"]),
        ("u" * 101, ["[UNK]"]),
        ("", []),
        (" \t\n", []),
    ],
)
def test_the_longest_pieces_come_first(tokenizer, text, pieces):
    assert tokenizer.pieces(text) == pieces


def test_a_cased_vocabulary_keeps_case_and_accents():
    tokenizer = WordPieceTokenizer([*SPECIAL, "Dog", "naïve"], lowercase=False)
    assert tokenizer.pieces("Dog dog naïve") == ["Dog", "[UNK]", "naïve"]


def test_special_tokens_go_around_and_padding_behind(tokenizer):
    ids = tokenizer.tokenize(["unaffable dog", "dog", ""])
    packed = tokenizer.pack(ids, max_length=20).numpy().tolist()
    assert packed == [[2, 5, 6, 7, 8, 3], [2, 8, 3, 0, 0, 0], [2, 3, 0, 0, 0, 0]]


def test_what_is_too_long_is_cut_off_before_its_end(tokenizer):
    packed = tokenizer.pack(tokenizer.tokenize(["dog dog dog dog"]), max_length=4)
    assert packed.numpy().tolist() == [[2, 8, 8, 3]]


def test_a_graph_cuts_as_python_does(tokenizer):
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def graph(texts):
        return tokenizer.tokenize(texts)

    texts = ["unaffable dogs", "", "naïve!"]
    assert graph(texts).to_list() == tokenizer.tokenize(texts).to_list()


def test_a_vocabulary_is_saved_and_loaded(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "vocab.txt")
    loaded = WordPieceTokenizer.load(tmp_path / "vocab.txt")
    assert loaded.vocabulary == PIECES
    (tmp_path / "dos.txt").write_bytes("\r\n".join(PIECES).encode())
    assert WordPieceTokenizer.load(tmp_path / "dos.txt").vocabulary == PIECES


@pytest.mark.parametrize(
    "pieces, message",
    [
        (["[PAD]", "[UNK]", "[CLS]", "dog"], r"without \[SEP\], \[MASK\]"),
        ([*SPECIAL[1:], "[PAD]"], r"'\[UNK\]' as the first piece"),
        ([*SPECIAL, "dog", "dog"], "'dog' 2 times"),
    ],
)
def test_a_vocabulary_that_fits_no_model_is_refused(pieces, message):
    with pytest.raises(ValueError, match=message):
        WordPieceTokenizer(pieces)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        WordPieceTokenizer.load(tmp_path / "vocab.txt")
    (tmp_path / "vocab.txt").write_bytes(b"\xff\n")
    with pytest.raises(ValueError, match="not valid UTF-8"):
        WordPieceTokenizer.load(tmp_path / "vocab.txt")


def test_without_tensorflow_text_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    with pytest.raises(ImportError, match="pip install tensorflow-text"):
        WordPieceTokenizer(PIECES)
