"""A tokenizer, a length and the Bert in a model have to fit each other."""

import pytest

from keras_attention.export.wordpiece_model import WordPieceModel
from keras_attention.models.bert import Bert
from keras_attention.text.wordpiece import WordPieceTokenizer

pytestmark = pytest.mark.tensorflow

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a", "##b"]


class Silent(WordPieceModel):
    """Has no way to be asked."""

    def signatures(self):
        return {}


@pytest.fixture(scope="module")
def bert():
    return Bert(9, num_layers=1, d_model=6, num_heads=2, d_ff=8, max_length=16)


def test_the_model_s_own_length_is_the_longest(bert):
    assert Silent(bert, bert, WordPieceTokenizer(PIECES)).max_length == 16


@pytest.mark.parametrize("max_length", [2, 17])
def test_a_length_out_of_range_is_refused(bert, max_length):
    message = rf"Silent: got max_length={max_length}, but .* from 3 to 16"
    with pytest.raises(ValueError, match=message):
        Silent(bert, bert, WordPieceTokenizer(PIECES), max_length)


def test_a_tokenizer_that_does_not_fit_is_refused(bert):
    tokenizer = WordPieceTokenizer([*PIECES, "c"])
    message = "Silent: got a tokenizer of 10 pieces .* vocab_size=9"
    with pytest.raises(ValueError, match=message):
        Silent(bert, bert, tokenizer)
