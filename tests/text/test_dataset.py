import collections
import random
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention.special_tokens import END, PAD, START
from keras_attention.text.dataset import translation_dataset
from keras_attention.text.tokenizer import SubwordTokenizer

pytestmark = pytest.mark.tensorflow

PAIRS = [
    ("개가 달린다", "a dog runs"),
    ("고양이가 잔다", "a cat sleeps by the window"),
    ("나는 책을 읽는다", "i read a book"),
    ("비가 온다", "it rains"),
    ("그래", "yes"),
]


def random_words(count, longest=17):
    """Distinct words of 1 to `longest` letters, with a partner of another length."""
    draw = random.Random(0)
    sources = [word(draw, 2 + number % (longest - 1)) for number in range(count)]
    return sources, [word(draw, draw.randint(1, longest)) for _ in range(count)]


def word(draw, length):
    return "".join(draw.choice("abcdefghij") for _ in range(length))


@pytest.fixture(scope="module")
def letters():
    korean = [sentence for pair in PAIRS for sentence in pair]
    return SubwordTokenizer.train(["abcdefghij", *korean], model_type="char")


@pytest.fixture(scope="module")
def build(letters):
    """Build a dataset over pairs of words, by default 103 of 2 to 18 tokens."""

    def build_dataset(sources=None, targets=None, **options):
        if sources is None:
            sources, targets = random_words(103)
        options = {"batch_tokens": 60, "num_widths": 4, **options}
        return translation_dataset(sources, targets, letters, letters, **options)

    return build_dataset


def batches_of(dataset):
    return [
        (inputs["source_ids"].numpy(), inputs["target_ids"].numpy(), labels.numpy())
        for inputs, labels in dataset
    ]


def pairs_of(dataset, tokenizer):
    """(source, target) of each row that is not padding, in the order served."""
    pairs = []
    for source_ids, _, labels in batches_of(dataset):
        real = labels[:, 0] != PAD
        sources = tokenizer.detokenize(source_ids[real]).numpy()
        targets = tokenizer.detokenize(labels[real]).numpy()
        pairs += [(s.decode(), t.decode()) for s, t in zip(sources, targets)]
    return pairs


def without_padding(row):
    return row[row != PAD].tolist()


# What a batch holds.


def test_a_pair_becomes_source_target_and_labels(build, letters):
    [(source_ids, target_ids, labels)] = batches_of(build(["abc"], ["de"]))
    a, b, c, d, e = letters.tokenize(["abcde"]).to_list()[0]
    assert source_ids.tolist() == [[a, b, c, END]]
    assert target_ids.tolist() == [[START, d, e, PAD]]
    assert labels.tolist() == [[d, e, END, PAD]]


def test_an_empty_sentence_is_its_end_alone(build):
    [(source_ids, target_ids, labels)] = batches_of(build([""], [""]))
    assert source_ids.tolist() == [[END]]
    assert target_ids.tolist() == [[START]]
    assert labels.tolist() == [[END]]


def test_labels_are_the_target_one_step_ahead(build):
    for _, target_ids, labels in batches_of(build()):
        for target, label in zip(target_ids, labels):
            target, label = without_padding(target), without_padding(label)
            assert len(target) == len(label)
            if label:
                assert target == [START, *label[:-1]]
                assert label[-1] == END


def test_padding_comes_only_after_the_tokens(build):
    for batch in batches_of(build()):
        for ids in batch:
            is_padding = ids == PAD
            assert not (is_padding[:, :-1] & ~is_padding[:, 1:]).any()


def test_tensors_are_int32_of_unknown_size(build):
    inputs, labels = build().element_spec
    for spec in [inputs["source_ids"], inputs["target_ids"], labels]:
        assert spec == tf.TensorSpec([None, None], tf.int32)


def test_korean_pairs_come_back_whole(letters):
    sources, targets = zip(*PAIRS)
    dataset = translation_dataset(sources, targets, letters, letters)
    assert sorted(pairs_of(dataset, letters)) == sorted(PAIRS)


def test_source_and_target_may_have_different_tokenizers(letters):
    words = SubwordTokenizer.train(["yes no"], model_type="word")
    dataset = translation_dataset(["ab"], ["no yes"], letters, words)
    [(source_ids, _, labels)] = batches_of(dataset)
    assert letters.detokenize(source_ids).numpy().tolist() == [b"ab"]
    assert words.detokenize(labels).numpy().tolist() == [b"no yes"]


def test_more_sentences_than_a_chunk_stay_in_step(letters):
    count = 2500
    sources = ["abcdefghij"[number % 10] * (1 + number % 7) for number in range(count)]
    dataset = translation_dataset(sources, sources, letters, letters, shuffle=False)
    pairs = pairs_of(dataset, letters)
    assert collections.Counter(pairs) == collections.Counter(zip(sources, sources))


# Batches and epochs.


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_pair_comes_exactly_once_an_epoch(build, letters, shuffle):
    expected = sorted(zip(*random_words(103)))
    dataset = build(shuffle=shuffle)
    for _ in range(2):
        assert sorted(pairs_of(dataset, letters)) == expected


@pytest.mark.parametrize("num_widths", [1, 2, 4, 99])
def test_there_is_one_batch_shape_a_width(build, num_widths):
    lengths = {
        max(len(source), len(target)) for source, target in zip(*random_words(103))
    }
    shapes = {labels.shape for _, _, labels in batches_of(build(num_widths=num_widths))}
    assert len(shapes) == min(num_widths, len(lengths))
    assert len({width for _, width in shapes}) == len(shapes)


def test_the_three_tensors_of_a_batch_have_one_shape(build):
    for source_ids, target_ids, labels in batches_of(build()):
        assert source_ids.shape == target_ids.shape == labels.shape


@pytest.mark.parametrize("batch_tokens", [18, 31, 60, 4096])
def test_no_batch_exceeds_its_tokens(build, batch_tokens):
    sizes = [
        labels.size for _, _, labels in batches_of(build(batch_tokens=batch_tokens))
    ]
    assert max(sizes) <= batch_tokens


def test_a_pair_goes_to_the_narrowest_width_that_fits(build):
    batches = batches_of(build())
    widths = sorted({labels.shape[1] for _, _, labels in batches})
    for source_ids, _, labels in batches:
        for source, label in zip(source_ids, labels):
            length = max(len(without_padding(source)), len(without_padding(label)))
            if length:
                fitting = [width for width in widths if width >= length]
                assert labels.shape[1] == fitting[0]


def test_rows_of_padding_are_fewer_than_the_batches_of_their_width(build):
    padding_rows, num_batches = collections.Counter(), collections.Counter()
    for source_ids, target_ids, labels in batches_of(build()):
        empty = (labels == PAD).all(axis=1)
        assert (source_ids[empty] == PAD).all() and (target_ids[empty] == PAD).all()
        padding_rows[labels.shape] += empty.sum()
        num_batches[labels.shape] += 1
    assert padding_rows.total() > 0
    assert all(padding_rows[shape] < num_batches[shape] for shape in num_batches)


def test_rows_even_out_over_the_fewest_batches(build):
    # 7 pairs of 2 tokens, at most 5 a batch: two batches of 4 and not 5 + 2.
    batches = batches_of(build(["a"] * 7, ["b"] * 7, batch_tokens=10))
    assert [labels.shape for _, _, labels in batches] == [(4, 2), (4, 2)]


@pytest.mark.parametrize("shuffle", [True, False])
def test_cardinality_is_the_number_of_batches(build, shuffle):
    dataset = build(shuffle=shuffle)
    assert len(dataset) == len(list(dataset)) > 4


def test_unshuffled_pairs_come_in_order_from_narrow_to_wide(build, letters):
    sources, targets = ["abc", "a", "def", "b"], ["a", "a", "b", "b"]
    dataset = build(sources, targets, shuffle=False)
    expected = [("a", "a"), ("b", "b"), ("abc", "a"), ("def", "b")]
    assert pairs_of(dataset, letters) == pairs_of(dataset, letters) == expected


def test_epochs_differ(build, letters):
    dataset = build()
    epochs = [pairs_of(dataset, letters) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_batches_mix_pairs_and_widths_anew(build, letters):
    dataset = build()
    widths = [[labels.shape[1] for _, _, labels in batches_of(dataset)] for _ in "ab"]
    assert widths[0] != widths[1]
    assert widths[0] != sorted(widths[0])
    one_width = build(num_widths=1, batch_tokens=90)
    members = [
        {frozenset(map(bytes, labels)) for _, _, labels in batches_of(one_width)}
        for _ in "ab"
    ]
    assert members[0] != members[1]


def test_the_same_seed_gives_the_same_epochs(build, letters):
    first, second = build(seed=7), build(seed=7)
    for _ in range(3):
        assert pairs_of(first, letters) == pairs_of(second, letters)


def test_a_run_can_go_on_in_the_middle_of_an_epoch(build):
    dataset = build(seed=7)
    epochs = [batches_of(dataset), batches_of(dataset)]
    steps = len(dataset) + 5
    resumed = batches_of(build(seed=7).repeat(2).skip(steps))
    expected = sum(epochs, [])[steps:]
    assert len(resumed) == len(expected)
    for batch, other in zip(resumed, expected):
        assert all(map(np.array_equal, batch, other))


def test_an_epoch_begins_when_a_batch_is_asked_for(build):
    """Keras makes an iterator more than it uses."""
    dataset, expected = build(seed=7), build(seed=7)
    for _ in range(2):
        unused = iter(dataset)
        for batch, other in zip(batches_of(dataset), batches_of(expected), strict=True):
            assert all(map(np.array_equal, batch, other))
        del unused


def test_another_seed_gives_another_order(build, letters):
    assert pairs_of(build(seed=7), letters) != pairs_of(build(seed=8), letters)


# Long pairs.


def test_long_pairs_are_dropped_with_a_count(build, letters):
    sources, targets = ["abcd", "abcde", "a", "b"], ["a", "b", "abcde", "c"]
    message = r"dropped 2 of 4 pairs \(50\.0 %\).*max_length=5 tokens"
    with pytest.warns(UserWarning, match=message) as caught:
        dataset = build(sources, targets, max_length=5)
    assert caught[0].filename == __file__
    assert sorted(pairs_of(dataset, letters)) == [("abcd", "a"), ("b", "c")]


def test_long_sentences_are_truncated_with_a_count(build, letters):
    sources, targets = ["abcd", "abcde", "a"], ["a", "b", "abcdefgh"]
    message = r"truncated 2 of 3 pairs \(66\.7 %\).*max_length=5 tokens"
    with pytest.warns(UserWarning, match=message):
        dataset = build(sources, targets, max_length=5, too_long="truncate")
    expected = [("a", "abcd"), ("abcd", "a"), ("abcd", "b")]
    assert sorted(pairs_of(dataset, letters)) == expected
    for source_ids, _, labels in batches_of(dataset):
        assert labels.shape[1] <= 5
        assert all(END in row for row in source_ids[labels[:, 0] != PAD])


@pytest.mark.parametrize("too_long", ["drop", "truncate"])
def test_nothing_is_said_when_every_pair_fits(build, too_long):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build(["abcd"], ["a"], max_length=5, too_long=too_long)


@pytest.mark.filterwarnings("ignore:translation_dataset")
def test_a_corpus_with_nothing_left_is_refused(build):
    message = r"2 pairs of 4 to 6 tokens, but max_length=3 keeps none"
    with pytest.raises(ValueError, match=message):
        build(["abc", "a"], ["a", "abcde"], max_length=3)


# Unknown tokens.


def test_unknown_characters_are_counted_and_named(build):
    sources = ["abcde", "aßbüc", "üü", "dad"]
    message = (
        r"translation_dataset: 21\.4 % of the tokens of source_lines are UNKNOWN "
        r"\(3 of 14, in 2 of 4 sentences\).*most often 'ü', 'ß', for example in 'aßb"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        build(sources, ["a", "b", "c", "d"])
    assert [warning.filename for warning in caught] == [__file__]


def test_unknown_words_are_named_where_the_tokenizer_knows_words(letters):
    words = SubwordTokenizer.train(["yes no"], model_type="word")
    message = r"target_lines.*\(2 of 4, in 2 of 3 sentences\).*most often 'perhaps',"
    with pytest.warns(UserWarning, match=message):
        lines = ["yes", "no perhaps", "perhaps"]
        translation_dataset(["a", "b", "c"], lines, letters, words)


# Arguments.


def test_unequal_numbers_of_lines_are_both_named(build):
    with pytest.raises(ValueError, match=r"3 source_lines and 2 target_lines"):
        build(["a", "b", "c"], ["a", "b"])


def test_no_lines_are_refused(build):
    with pytest.raises(ValueError, match=r"0 source_lines and 0 target_lines"):
        build([], [])


def test_one_string_is_no_corpus(build):
    with pytest.raises(TypeError, match=r"source_lines='abc', but needs a list"):
        build("abc", ["a", "b", "c"])
    with pytest.raises(TypeError, match=r"target_lines='abc', but needs a list"):
        build(["a", "b", "c"], "abc")


def test_a_batch_too_small_for_the_longest_pair_is_refused(build):
    build(["abcd"], ["a"], batch_tokens=5)
    with pytest.raises(ValueError, match=r"batch_tokens=4.*longest pair takes 5"):
        build(["abcd"], ["a"], batch_tokens=4)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"max_length": 1}, "max_length=1, .*at least 2"),
        ({"num_widths": 0}, "num_widths=0, .*at least 1"),
        ({"too_long": "keep"}, "too_long='keep', .*'drop' or 'truncate'"),
        ({"seed": -1}, "seed=-1, .*not negative"),
    ],
)
def test_an_option_out_of_its_range_is_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(["a"], ["b"], **options)


# Keras.


class TraceCounter(keras.layers.Layer):
    """Count how often Python runs `call`: once a trace."""

    def __init__(self):
        super().__init__()
        self.traces = 0

    def call(self, x):
        self.traces += 1
        return x


def noting(dataset, labels_seen):
    """The same dataset, whose labels are kept as they are taken."""

    def note(labels):
        labels_seen.append(labels)
        return labels

    def noted(inputs, labels):
        return inputs, tf.ensure_shape(
            tf.numpy_function(note, [labels], tf.int32), [None, None]
        )

    return dataset.map(noted)


def test_keras_traces_once_for_all_widths_and_serves_whole_epochs(build, letters):
    counter = TraceCounter()
    inputs = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("source_ids", "target_ids")
    }
    embed = keras.layers.Embedding(letters.vocab_size, 3)
    x = counter(embed(inputs["source_ids"]) + embed(inputs["target_ids"]))
    model = keras.Model(inputs, keras.layers.Dense(letters.vocab_size)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(True, ignore_class=PAD)
    model.compile("sgd", loss, jit_compile=False)
    counter.traces = 0
    dataset, same = build(), build()
    expected = [labels for _ in range(2) for *_, labels in batches_of(same)]
    steps, labels_seen = [], []
    callback = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: steps.append(callback.params["steps"])
    )
    # Keras 3.15 warns of its own default, shuffle=True, when it gets a dataset.
    history = model.fit(
        noting(dataset, labels_seen),
        epochs=2,
        verbose=0,
        shuffle=False,
        callbacks=[callback],
    )
    assert counter.traces == 1
    assert np.isfinite(history.history["loss"]).all()
    assert steps == [len(dataset)]
    assert len(labels_seen) == len(expected)
    assert all(map(np.array_equal, labels_seen, expected))
