"""One graph from strings to strings: any number of them, in their order."""

import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export.sentence_graph import in_order, teacher_forced, with_end
from keras_attention.special_tokens import END, PAD, START
from tests.export.conftest import random_translator, random_words

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def graph(translator):
    return translator.graph(translator.model, batch_size=4)


def words(x):
    return [text.decode() for text in np.asarray(x).ravel()]


def test_sources_are_closed_and_padded():
    pieces = tf.ragged.constant([[5, 6], [], [7]], dtype=tf.int32)
    expected = [[5, 6, END], [END, PAD, PAD], [7, END, PAD]]
    assert with_end(pieces).numpy().tolist() == expected


def test_targets_are_shifted_behind_the_start():
    inputs = teacher_forced(tf.constant([[9, 3]]), tf.constant([[5, 6, END]]))
    assert inputs["target_ids"].numpy().tolist() == [[START, 5, 6]]


def test_results_are_put_back_into_their_order():
    lengths = tf.constant([2, 0, 9])
    found = {
        "text": tf.constant(["longest", "middle", "nothing"]),
        "scores": tf.constant([[9.0], [2.0], [0.0]]),
    }
    found = in_order(found, tf.constant([2, 0, 1]), lengths)
    assert words(found["text"]) == ["middle", "", "longest"]
    assert found["scores"].numpy().tolist() == [[2.0], [-np.inf], [9.0]]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 13])
def test_any_number_of_texts_is_answered_batch_by_batch(graph, translator, count):
    texts = random_words(count, longest=30) + ["", " "]
    translate = tf.function(graph.translate, autograph=False)
    assert words(translate(tf.constant(texts))["text"]) == translator(texts)


def test_a_batch_holds_no_more_sentences_than_it_may(graph):
    sizes = []

    def translate(source_ids):
        sizes.append(source_ids.shape.as_list())
        return tf.strings.as_string(source_ids[:, 0])

    texts = random_words(9)
    found = graph.for_all(
        tf.constant(texts), translate, tf.TensorSpec([None], "string")
    )
    assert [rows for rows, _ in sizes] == [4, 4, 1]
    assert [longest for _, longest in sizes] == sorted(
        (longest for _, longest in sizes), reverse=True
    )
    first = graph.source_tokenizer.tokenize(texts)[:, :1].to_tensor()[:, 0]
    assert words(found) == [str(token) for token in first.numpy()]


def test_the_first_of_n_best_is_the_best_and_scores_fall(graph, translator):
    texts = random_words(9)
    found = graph.n_best(tf.constant(texts))
    assert words(found["text"][:, 0]) == translator(texts)
    assert (np.diff(found["scores"].numpy(), axis=1) <= 0).all()


def test_the_score_of_a_translation_is_the_one_the_search_gave_it(graph):
    texts = random_words(9)
    found = graph.n_best(tf.constant(texts))
    for rank in range(3):
        scored = graph.score(tf.constant(texts), found["text"][:, rank])
        for name in ("scores", "log_probs"):
            np.testing.assert_allclose(
                scored[name], found[name][:, rank], rtol=1e-4, atol=1e-4
            )


def test_greedy_takes_the_likeliest_token_each_time(graph, translator):
    texts = random_words(3)
    ids = with_end(translator.source_tokenizer.tokenize(texts)).numpy()
    for source_ids, answer in zip(ids, words(graph.greedy(tf.constant(texts))["text"])):
        source_ids, written = source_ids[source_ids != PAD], [START]
        while written[-1] != END:
            logits = translator.model(
                {
                    "source_ids": source_ids[None],
                    "target_ids": np.array([written], "int32"),
                }
            )
            best = np.argmax(translator.model.forbid(logits)[0, -1])
            full = len(written) == len(source_ids) + 5
            written.append(END if full else int(best))
        assert words(translator.target_tokenizer.detokenize([written])) == [answer]


def test_attention_is_that_of_the_whole_model_at_once(graph, translator):
    texts = ["abc", "keras"]
    found = graph.attention(tf.constant(texts))
    assert words(found["text"]) == translator(texts)
    assert words(found["source_pieces"][1])[:7] == [*"keras", "</s>"]
    for row, answer in enumerate(translator(texts)):
        pieces = [piece for piece in words(found["target_pieces"][row]) if piece]
        assert "".join(pieces).replace("▁", " ").strip() == answer + "</s>"
        weights = found["attention"].numpy()[row, : len(pieces)]
        np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-5)
    source_ids = with_end(translator.source_tokenizer.tokenize(texts))
    target_ids = with_end(translator.target_tokenizer.tokenize(translator(texts)))
    inputs = teacher_forced(source_ids, target_ids)
    maps = translator.model.attention_maps(**inputs)["cross"]
    length = target_ids.shape[1]
    np.testing.assert_allclose(
        found["attention"][0, : len(translator(texts)[0])],
        np.mean(maps, axis=(0, 2))[0, : len(translator(texts)[0])],
        atol=1e-5,
    )
    assert length <= found["attention"].shape[1]


def test_suppressed_tokens_never_appear():
    plain = random_translator()
    texts = random_words(20)
    common = max("abcdefghijklmnopqrstuvwxyz", key="".join(plain(texts)).count)
    [[token]] = plain.target_tokenizer.tokenize([common]).numpy()[:, -1:]
    answers = random_translator(suppressed_tokens=(int(token),))(texts)
    assert common in "".join(plain(texts))
    assert common not in "".join(answers)


def test_a_minimum_and_a_maximum_bound_every_answer():
    translator = random_translator(min_length=6, max_length=8)
    found = translator.target_tokenizer.tokenize(translator(random_words(20)))
    lengths = found.row_lengths().numpy() + 1  # with END
    assert lengths.max() <= 8
    assert {len(answer) for answer in translator(random_words(20))} <= set(range(3, 9))


def test_no_bigram_appears_twice():
    translator = random_translator(no_repeat_ngram_size=2, max_length=20)
    search = tf.function(
        translator.graph(translator.model, 4).search,
        input_signature=[tf.TensorSpec((None, None), tf.int32)],
        autograph=False,
    )
    ids = search(with_end(translator.source_tokenizer.tokenize(random_words(20)))).ids
    for sentence in ids.numpy()[:, 0]:
        sentence = sentence[1:][sentence[1:] != PAD]
        bigrams = list(zip(sentence, sentence[1:]))
        assert len(set(bigrams)) == len(bigrams)


def test_a_coverage_penalty_changes_what_wins():
    texts = random_words(20)
    plain = random_translator(beam_size=5)
    covered = random_translator(beam_size=5, coverage_penalty=5.0)
    assert plain(texts) != covered(texts)
    best = covered.n_best(texts[:1], 1)[0][0]
    scored = covered.score(texts[:1], [best.text])
    assert best.score < scored.scores[0]  # the penalty comes on top


def test_no_text_has_no_score(graph):
    nothing = tf.constant([], tf.string)
    found = tf.function(graph.score)(nothing, nothing)
    assert found["scores"].shape == found["log_probs"].shape == (0,)


def test_a_text_without_a_token_has_no_score_and_looks_at_nothing(graph, translator):
    texts = tf.constant(["keras", "", " "])
    scores = graph.score(texts, tf.constant(["abc", "abc", ""]))["scores"].numpy()
    expected = translator.score(["keras", "", " "], ["abc", "abc", ""]).scores
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert scores[1:].tolist() == [-np.inf, -np.inf]
    found = graph.attention(texts)
    assert words(found["text"])[1:] == ["", ""]
    assert set(words(found["source_pieces"][1:])) == {""}
    assert not found["attention"][1:].numpy().any()
    np.testing.assert_allclose(found["attention"][0, 0].numpy().sum(), 1, rtol=1e-5)
