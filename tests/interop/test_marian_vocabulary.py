"""Marian's ids become ours and go back."""

import json

import numpy as np
import pytest

from keras_attention.interop.marian_vocabulary import MarianVocabulary
from keras_attention.special_tokens import END, START, UNKNOWN

PIECES = ["</s>", "<unk>", "a", "b", "<s>", "<pad>"]


def test_our_ids_of_the_special_pieces_are_those_of_every_stage():
    vocabulary = MarianVocabulary(PIECES)
    assert vocabulary.our_id(vocabulary.id_of("</s>")) == END
    assert vocabulary.our_id(vocabulary.id_of("<unk>")) == UNKNOWN
    assert vocabulary.our_id(vocabulary.id_of("<pad>")) == START
    assert vocabulary.our_pieces == ["<pad>", "<unk>", "<s>", "</s>", "a", "b", "<s>"]


def test_rows_become_ours_and_go_back():
    vocabulary = MarianVocabulary(PIECES)
    rows = np.arange(6.0)[:, None]
    ours = vocabulary.to_ours(rows)
    assert ours[:, 0].tolist() == [0, 1, 5, 0, 2, 3, 4]
    np.testing.assert_array_equal(vocabulary.to_marian(ours), rows)


def test_a_tokenizer_of_ours_becomes_a_vocabulary_and_is_filled_up():
    ours = ["<pad>", "<unk>", "<s>", "</s>", "a", "b"]
    vocabulary = MarianVocabulary.of_tokenizer(ours, size=7)
    fillers = ["<filler0>", "<filler1>"]
    assert vocabulary.pieces == ["</s>", "<unk>", "a", "b", *fillers, "<pad>"]
    rows = vocabulary.to_marian(np.arange(6.0), filler=-9.0)
    assert rows.tolist() == [3, 1, 4, 5, -9, -9, 2]
    assert MarianVocabulary.of_tokenizer(ours).our_pieces == ours


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "vocab.json"
    MarianVocabulary([*PIECES[:-1], "▁가", "<pad>"]).write(path)
    assert MarianVocabulary.read("load", path).pieces[-2] == "▁가"


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "is no table of pieces and their ids"),
        ("[1, 2]", "is no table of pieces and their ids"),
        ('{"a": 0, "b": "c"}', "is no table of pieces and their ids"),
        ({"</s>": 0, "<unk>": 1}, "of 2 pieces with no <pad>"),
        ({"</s>": 0, "<unk>": 1, "<pad>": 3}, "of 3 pieces with gaps or doubles"),
        ({"</s>": 0, "<unk>": 1, "<pad>": 1}, "of 3 pieces with gaps or doubles"),
    ],
    ids=str,
)
def test_a_file_that_is_no_vocabulary_is_named(content, message, tmp_path):
    path = tmp_path / "vocab.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(
        ValueError, match=rf"load: got the file .*vocab.json.*{message}"
    ):
        MarianVocabulary.read("load", path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="load: got the folder .*no vocab.json"):
        MarianVocabulary.read("load", tmp_path / "vocab.json")
