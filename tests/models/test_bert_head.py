"""A head without a Bert, or without names for its choices, is refused."""

import keras
import pytest

from keras_attention.models.bert_head import require_bert, require_names


def test_a_head_needs_a_bert():
    with pytest.raises(TypeError, match="BertTagger: got bert of type Dense, but"):
        require_bert("BertTagger", keras.layers.Dense(3))


@pytest.mark.parametrize("names", ["ab", ["a", 3], [None, "b"]])
def test_names_are_a_list_of_str(names):
    with pytest.raises(TypeError, match=r"BertTagger: got labels=.*list of str"):
        require_names("BertTagger", labels=names)


@pytest.mark.parametrize("names", [["a"], [], ["a", "b", "a"]])
def test_names_are_two_or_more_and_differ(names):
    with pytest.raises(ValueError, match=r"Owner: got classes=\[.*two or more"):
        require_names("Owner", classes=names)


def test_names_of_any_kind_of_sequence_become_a_list():
    assert require_names("Owner", classes=("a", "b")) == ["a", "b"]
