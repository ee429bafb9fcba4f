"""Without tf.data's tuning thread, and otherwise the same."""

import pytest
import tensorflow as tf

import keras_attention as ka
from keras_attention.text.untuned_data import untuned

pytestmark = pytest.mark.tensorflow


def is_tuned(dataset):
    return dataset.options().autotune.enabled is not False


def test_its_elements_are_the_same():
    numbers = tf.data.Dataset.range(9).prefetch(2)
    assert list(untuned(numbers).as_numpy_iterator()) == list(range(9))
    assert is_tuned(numbers) and not is_tuned(untuned(numbers))


def test_other_options_stay():
    options = tf.data.Options()
    options.deterministic = False
    numbers = untuned(tf.data.Dataset.range(9).with_options(options))
    assert numbers.options().deterministic is False and not is_tuned(numbers)


def test_what_a_model_learns_from_is_untuned_and_stays_so():
    lines = ["ab", "b", "abba"]
    letters = ka.SubwordTokenizer.train(lines, model_type="char")
    batches = ka.translation_dataset(lines, lines, letters, letters, batch_tokens=10)
    for dataset in (batches, batches.repeat().skip(2), batches.take(1)):
        assert not is_tuned(dataset)
