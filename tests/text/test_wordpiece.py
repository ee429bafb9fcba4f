"""Words are cut as BERT cuts them, in Python as in a graph."""

import os
import sys
import unicodedata

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


@pytest.mark.parametrize("max_length", range(3, 14))
def test_of_a_pair_the_longer_end_is_cut_off_token_by_token(tokenizer, max_length):
    """As in BERT's code: while it is too long, the last of the longer one goes."""
    for first, second in (([7] * 6, [8] * 3), ([7] * 2, [8] * 7), ([7] * 5, [8] * 5)):
        a, b = list(first), list(second)
        while len(a) + len(b) + 3 > max_length:
            (a if len(a) > len(b) else b).pop()
        ids, segments = tokenizer.pack_pairs(
            tf.ragged.constant([first], dtype=tf.int32),
            tf.ragged.constant([second], dtype=tf.int32),
            max_length,
        )
        assert ids.numpy().tolist() == [[2, *a, 3, *b, 3]]
        assert segments.numpy().tolist() == [[0] * (len(a) + 2) + [1] * (len(b) + 1)]


def test_pairs_of_different_length_are_padded_together(tokenizer):
    inputs = tokenizer.encode(["dog", "unaffable dogs"], ["", "dog!"], max_length=20)
    assert inputs["token_ids"].numpy().tolist() == [
        [2, 8, 3, 3, 0, 0, 0, 0, 0, 0],
        [2, 5, 6, 7, 8, 9, 3, 8, 10, 3],
    ]
    assert inputs["segment_ids"].numpy().tolist() == [
        [0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 1, 1, 1],
    ]


def test_words_are_found_where_their_first_pieces_stand(tokenizer):
    words = [["unaffable", "dogs", "!"], ["dog"], [], ["cat", "\x01", "dog"]]
    inputs = tokenizer.encode_words(words, max_length=7)
    assert inputs["token_ids"].numpy().tolist() == [
        [2, 5, 6, 7, 8, 9, 3],
        [2, 8, 3, 0, 0, 0, 0],
        [2, 3, 0, 0, 0, 0, 0],
        [2, 1, 1, 8, 3, 0, 0],
    ]
    assert inputs["positions"].numpy().tolist() == [
        [1, 4, 0],  # the third is cut off
        [1, 0, 0],
        [0, 0, 0],
        [1, 2, 3],
    ]


def test_a_vocabulary_is_learned_from_text():
    lines = ["the dog runs to the dogs", "a Dog running", "naïve dog"] * 20
    tokenizer = WordPieceTokenizer.train(lines, vocab_size=60)
    assert tokenizer.vocabulary[:5] == SPECIAL
    assert tokenizer.special_ids == (0, 1, 2, 3, 4)
    assert {"dog", "naive"} <= set(tokenizer.vocabulary)
    assert len(tokenizer.vocabulary) <= 60
    assert "[UNK]" not in sum(map(tokenizer.pieces, lines[:3]), [])
    cased = WordPieceTokenizer.train(lines, vocab_size=60, lowercase=False)
    assert "Dog" in cased.vocabulary and "[UNK]" not in cased.pieces("Dog")


def test_no_vocabulary_is_learned_from_nothing():
    with pytest.raises(ValueError, match="WordPieceTokenizer.train: got 2 lines"):
        WordPieceTokenizer.train(["", " "])


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


def test_a_failed_save_leaves_the_old_file_in_place(tokenizer, tmp_path, monkeypatch):
    path = tmp_path / "vocab.txt"
    path.write_text("old")

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        tokenizer.save(path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["vocab.txt"]


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


def test_small_letters_may_keep_their_accents():
    pieces = [*SPECIAL, "schön", "schon", "한국"]
    keeping = WordPieceTokenizer(pieces, strip_accents=False)
    assert keeping.pieces("SCHÖN schon 한국") == ["schön", "schon", "한국"]
    apart = unicodedata.normalize("NFD", "한국")
    stripping = WordPieceTokenizer([*pieces, apart])
    assert stripping.pieces("SCHÖN 한국") == ["schon", apart]
    assert keeping.tokenize([b"\xff", ""]).row_lengths().numpy().tolist()[1] == 0


def test_accents_go_from_small_letters_only():
    message = "got strip_accents=True and lowercase=False, but accents"
    with pytest.raises(ValueError, match=message):
        WordPieceTokenizer(SPECIAL, lowercase=False, strip_accents=True)
