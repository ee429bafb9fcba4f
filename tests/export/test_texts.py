"""Texts become bytes, and what is no text is named."""

import numpy as np
import pytest

from keras_attention.export.texts import as_text, require_texts

TEXTS = ["개가 달린다", "", "a\0b", "🙂"]


@pytest.mark.parametrize("kind", [list, tuple, np.array, iter])
def test_texts_come_back_as_they_were(kind):
    assert [as_text(text) for text in require_texts(kind(TEXTS), "Reader")] == TEXTS


def test_bytes_that_are_no_text_are_shown_as_such():
    assert as_text(b"a\xff") == "a\ufffd"


@pytest.mark.parametrize("text", ["a dog", b"a dog"])
def test_one_string_is_refused(text):
    message = rf"Reader: got one {type(text).__name__}, .*\[text\]"
    with pytest.raises(TypeError, match=message):
        require_texts(text, "Reader")


def test_what_is_no_string_is_refused_and_named():
    with pytest.raises(TypeError, match="Reader: got int at index 1"):
        require_texts(["a", 7], "Reader")


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(ValueError, match=r"Reader: got .*\\ud800' at character 1"):
        require_texts(["a\ud800"], "Reader")
