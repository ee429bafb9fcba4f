"""Pieces of a sentencepiece model, numbered by a list, in Python and in a graph."""

import doctest
import os

import pytest
import tensorflow as tf

import keras_attention as ka
from keras_attention.special_tokens import END, PAD, START, UNKNOWN
from keras_attention.text import marian_tokenizer
from keras_attention.text.marian_tokenizer import MarianTokenizer, load_tokenizer

pytestmark = pytest.mark.tensorflow

LINES = ["a dog runs", "a dog sleeps", "a cat runs", "개가 달린다"]
SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]


@pytest.fixture(scope="module")
def trained():
    return ka.SubwordTokenizer.train(LINES, model_type="char")


@pytest.fixture(scope="module")
def tokenizer(trained):
    letters = [trained.id_to_piece(id) for id in range(4, trained.vocab_size)]
    words = ["▁dog", "é", ">>fra<<"]  # the sentencepiece model knows none of these
    return MarianTokenizer(trained.model_proto, [*SPECIAL, *letters[::-1], *words])


def ids(tokenizer, text):
    return tokenizer.tokenize([text])[0].numpy().tolist()


def test_a_piece_has_the_number_that_the_list_gives_it(tokenizer):
    assert tokenizer.pieces("a dog") == ["a", "▁", "d", "o", "g"]
    vocabulary = tokenizer.vocabulary
    assert ids(tokenizer, "ad") == [vocabulary.index("a"), vocabulary.index("d")]
    assert tokenizer.vocab_size == len(vocabulary)


def test_a_piece_that_only_the_list_knows_has_its_number(tokenizer):
    assert ids(tokenizer, "é") == [tokenizer.vocabulary.index("é")]


def test_a_piece_that_is_not_in_the_list_is_unknown(tokenizer):
    assert ids(tokenizer, "ß") == [UNKNOWN]


@pytest.mark.parametrize("name", SPECIAL)
def test_the_name_of_a_special_token_is_text(tokenizer, name):
    assert not {PAD, START, END} & set(ids(tokenizer, name))


@pytest.mark.parametrize("text", ["", " ", "   "])
def test_an_empty_sentence_has_no_token(tokenizer, text):
    assert ids(tokenizer, text) == []


def test_a_language_code_is_one_piece_at_the_start(tokenizer):
    assert tokenizer.pieces(">>fra<< a") == [">>fra<<", "a"]
    assert tokenizer.pieces(">>fra<<") == [">>fra<<"]
    assert ids(tokenizer, ">>xyz<<a")[0] == UNKNOWN
    assert ">>fra<<" not in tokenizer.pieces("a >>fra<<")


def test_detokenizing_gives_the_text_back(tokenizer):
    texts = ["a dog runs", "개가 달린다", ""]
    found = tokenizer.detokenize(tokenizer.tokenize(texts))
    assert [text.decode() for text in found.numpy()] == texts


def test_special_tokens_vanish_and_nothing_follows_the_end(tokenizer):
    a, d = ids(tokenizer, "ad")
    row = [[START, a, UNKNOWN, d, END, a, PAD]]
    assert tokenizer.detokenize(row).numpy() == [b"ad"]


def test_spaces_at_the_ends_are_taken_away(tokenizer):
    dog = tokenizer.vocabulary.index("▁dog")  # unknown to the sentencepiece model
    space = tokenizer.vocabulary.index("▁")
    assert tokenizer.detokenize([[dog, dog, space]]).numpy() == [b"dog dog"]


def test_pieces_of_ids(tokenizer):
    found = tokenizer.ids_to_pieces([[START, UNKNOWN, END, PAD]]).numpy().tolist()
    assert found == [[b"", b"<unk>", b"</s>", b""]]
    assert tokenizer.id_to_piece(END) == "</s>"
    with pytest.raises(ValueError, match=r"MarianTokenizer: got ids \[-1\]"):
        tokenizer.id_to_piece(-1)


@pytest.mark.parametrize("text", [b"\xff", b">>fra<<\xff\x00", b"\x00", "😀".encode()])
def test_any_bytes_get_an_answer(tokenizer, text):
    found = tokenizer.detokenize(tokenizer.tokenize([text]))
    assert found.shape == (1,)


def test_saved_and_loaded_it_is_the_same(tokenizer, trained, tmp_path):
    path = tmp_path / "one.model"
    tokenizer.save(path)
    loaded = load_tokenizer(path)
    assert isinstance(loaded, MarianTokenizer)
    assert loaded.vocabulary == tokenizer.vocabulary
    assert loaded.model_proto == tokenizer.model_proto
    assert ids(loaded, "a dog é") == ids(tokenizer, "a dog é")
    trained.save(path)
    assert isinstance(load_tokenizer(path), ka.SubwordTokenizer)


def test_a_file_cut_short_is_refused(tokenizer, tmp_path):
    path = tmp_path / "one.model"
    tokenizer.save(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="MarianTokenizer.load: got the file .*again"):
        MarianTokenizer.load(path)


def test_a_file_with_a_wrong_byte_anywhere_is_refused_or_read(tokenizer, tmp_path):
    path = tmp_path / "one.model"
    tokenizer.save(path)
    whole = path.read_bytes()
    refused = 0
    for place in range(40, len(whole), len(whole) // 50):
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        )
        try:
            MarianTokenizer.load(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 10


def test_a_piece_that_is_there_twice_is_refused(trained):
    message = "got the piece 'a' 2 times in a vocabulary of 2"
    with pytest.raises(ValueError, match=message):
        MarianTokenizer(trained.model_proto, [*SPECIAL, "a", "a"])


def test_a_failed_save_leaves_the_old_file_in_place(tokenizer, tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(b"old")

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        tokenizer.save(path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["tokenizer.model"]


def test_it_works_inside_a_saved_model(tokenizer, tmp_path):
    module = tf.Module()
    module.tokenizer = tokenizer
    spec = tf.TensorSpec([None], tf.string, "text")

    def there_and_back(text):
        return {"text": tokenizer.detokenize(tokenizer.tokenize(text))}

    function = tf.function(there_and_back, input_signature=[spec], autograph=False)
    tf.saved_model.save(
        module, str(tmp_path), {"serving_default": function.get_concrete_function()}
    )
    text = ["a dog runs", ">>fra<< 개가"]
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    expected = [one.encode() for one in ["a dog runs", ">>fra<<개가"]]
    assert served(text=tf.constant(text))["text"].numpy().tolist() == expected
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        signature = graph.signature_def["serving_default"]
        question = {signature.inputs["text"].name: text}
        found = session.run(signature.outputs["text"].name, question)
    assert found.tolist() == expected


def test_the_example_of_the_docstring_runs():
    results = doctest.testmod(marian_tokenizer)
    assert results.attempted and not results.failed
