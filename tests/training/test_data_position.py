"""Data start in the middle of an epoch, and that epoch ends where it should."""

import keras
import numpy as np
import pytest

from keras_attention.text.token_batches import TokenBatches
from keras_attention.training.data_position import (
    BatchesPosition,
    Place,
    ShortFirstEpoch,
    ShortFirstPass,
    data_position,
)


def batches(seed=3):
    ids = [[4 + number % 7] * (1 + number % 5) for number in range(40)]
    return TokenBatches(ids, ids, batch_tokens=40, num_widths=2, seed=seed)


@pytest.mark.parametrize(
    ("place", "text", "steps"),
    [
        (Place(0, 0, 7), "the start", 0),
        (Place(0, 3, 7), "epoch 1, batch 3 of 7", 3),
        (Place(2, 0, 7), "the end of epoch 2", 14),
        (Place(2, 5, 7), "epoch 3, batch 5 of 7", 19),
        (Place(2, 0, 7, True), "the end of epoch 2, where a callback stopped", 14),
    ],
)
def test_a_place_says_what_is_done(place, text, steps):
    assert (str(place), place.steps) == (text, steps)


def test_the_rest_of_an_epoch_comes_first():
    data = batches()
    length = len(data)
    epochs = [list(data), list(data)]
    place = Place(0, length - 2, length)
    arguments = data_position(data, 1).fit_arguments(place)
    for expected in (epochs[0][-2:], epochs[1]):
        served = list(arguments["x"])
        assert len(served) == len(expected)
        for one, other in zip(served, expected):
            np.testing.assert_array_equal(one[1], other[1])


def test_whole_epochs_need_nobody_to_end_them():
    position = data_position(batches(), 1)
    assert position.fit_arguments(Place(1, 0, position.length))["callbacks"] == []


def test_the_checksum_tells_data_from_others_and_places_from_others():
    position, length = data_position(batches(), 1), len(batches())
    places = [Place(epoch, batch, length) for epoch in range(2) for batch in range(3)]
    checksums = [position.checksum(place) for place in places]
    assert len(set(checksums)) == len(places)
    again = data_position(batches(), 1)
    assert [again.checksum(place) for place in places] == checksums
    other = data_position(batches(seed=4), 1)
    assert not {other.checksum(place) for place in places} & set(checksums)


def test_the_checksum_sees_dtypes_and_shapes():
    class Zeros(list):
        def starting_at(self, epoch, batch):
            return self

    arrays = [np.zeros((2, 3), "int32"), np.zeros((3, 2), "int32"), np.zeros((2, 3))]
    sums = [BatchesPosition(Zeros([array])).checksum(Place()) for array in arrays]
    assert len(set(sums)) == 3


def counting_model():
    """Predicts 0, and its optimizer counts."""
    inputs = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("source_ids", "target_ids")
    }
    vectors = keras.layers.Embedding(11, 2)(inputs["target_ids"])
    model = keras.Model(inputs, keras.layers.Dense(11)(vectors))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=False)
    return model


def test_a_short_first_pass_costs_no_step_and_no_warning():
    """Warnings are errors here."""
    data, model, seen = batches(), counting_model(), []
    length = len(data)
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    model.fit(
        data.starting_at(1, length - 2),
        epochs=4,
        initial_epoch=1,
        callbacks=[ShortFirstPass(2), count],
        verbose=0,
    )
    assert seen == [0, 1, *range(length), *range(length)]
    assert int(model.optimizer.iterations) == 2 + 2 * length


@pytest.mark.tensorflow
def test_a_short_first_epoch_goes_on_in_the_same_iterator():
    import tensorflow as tf

    model, seen = counting_model(), []
    ids = tf.data.Dataset.range(5).map(lambda i: tf.fill((1, 1), tf.cast(i, tf.int32)))
    dataset = ids.map(lambda x: ({"source_ids": x, "target_ids": x}, x))
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    position = data_position(dataset, 1)
    arguments = position.fit_arguments(Place(1, 3, 5))
    (end,) = arguments.pop("callbacks")
    assert isinstance(end, ShortFirstEpoch)
    first = next(iter(arguments["x"]))[1]
    assert first.numpy().tolist() == [[3]]
    model.fit(**arguments, epochs=3, initial_epoch=1, callbacks=[end, count], verbose=0)
    assert seen == [0, 1, 0, 1, 2, 3, 4]
    assert int(model.optimizer.iterations) == 7


@pytest.mark.tensorflow
def test_the_example_of_a_dataset_begins_no_epoch():
    import tensorflow as tf

    begun = []

    def batch():
        begun.append(1)
        yield np.zeros((4, 3), "int32")

    spec = tf.TensorSpec((None, 3), tf.int32)
    dataset = tf.data.Dataset.from_generator(batch, output_signature=spec)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(1))
    position = data_position(dataset, 1)
    example = position.example()
    assert (example.shape, example.dtype) == ((1, 3), "int32")
    assert position.checksum(Place()) is None
    assert not begun


@pytest.mark.tensorflow
def test_executions_across_epochs_are_refused():
    import tensorflow as tf

    message = "got a tf.data.Dataset of 5 batches and steps_per_execution=2, but"
    with pytest.raises(ValueError, match=message):
        data_position(tf.data.Dataset.range(5), 2)


class LooksLikeADataset:
    element_spec = None


def test_a_dataset_of_tensorflow_is_refused_on_other_backends():
    backend = keras.backend.backend()
    if backend == "tensorflow":
        pytest.skip("needs another backend than TensorFlow")
    message = f"got a tf.data.Dataset on the backend '{backend}', but"
    with pytest.raises(ValueError, match=message):
        data_position(LooksLikeADataset(), 1)


def test_data_without_a_batch_are_refused():
    class Nothing:
        def __len__(self):
            return 0

        def starting_at(self, epoch, batch):
            return self

    with pytest.raises(ValueError, match="got data of 0 batches, but there must be"):
        data_position(Nothing(), 1)


@pytest.mark.tensorflow
@pytest.mark.parametrize("length", ["unknown", "infinite"])
def test_a_dataset_of_no_known_length_is_refused(length):
    import tensorflow as tf

    dataset = tf.data.Dataset.range(5)
    dataset = (
        dataset.repeat()
        if length == "infinite"
        else dataset.filter(lambda number: number > 2)
    )
    with pytest.raises(ValueError, match=f"got a tf.data.Dataset of {length} length"):
        data_position(dataset, 1)


def test_data_that_cannot_start_in_the_middle_are_refused():
    with pytest.raises(TypeError, match="got batches of type list, but needs data"):
        data_position([1, 2], 1)
