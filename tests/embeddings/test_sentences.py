import pytest

from keras_attention.embeddings.sentences import (
    frequent_words,
    require_sentences,
    require_words,
)


def test_words_are_sorted_by_how_often_they_occur():
    sentences = [["b", "a", "c"], ["a", "b"], ["a"]]
    assert list(frequent_words(sentences, 2).items()) == [("a", 3), ("b", 2)]


def test_sentences_that_come_only_once_are_refused():
    sentences = (line.split() for line in ["a dog"])
    message = "Bird: got sentences of type generator, but a text is read several times"
    with pytest.raises(TypeError, match=message):
        require_sentences("Bird", sentences)


def test_a_text_in_one_piece_is_refused():
    with pytest.raises(TypeError, match="Bird: got sentences of type str"):
        require_sentences("Bird", "a dog")


def test_a_sentence_in_one_piece_is_refused():
    message = "Bird: got the sentence 'a dog' as one str, whose letters.*split"
    with pytest.raises(TypeError, match=message):
        require_sentences("Bird", ["a dog"])


def test_what_begins_anew_at_each_pass_is_taken():
    class Sentences:
        def __iter__(self):
            return iter([["a", "dog"]])

    require_sentences("Bird", Sentences())
    require_sentences("Bird", [["a", "dog"]])


def test_a_text_without_frequent_words_is_refused():
    with pytest.raises(ValueError, match="Bird: got no word that occurs min_count=5"):
        require_words("Bird", [], 5)
