"""A Keras model that learns by `fit`: what ours and KerasHub's have in common."""

import keras
import tensorflow as tf
from memory import peak_mib

import keras_attention as ka
from keras_attention.text.untuned_data import untuned
from training_peers import BETAS, EPSILON, LABEL_SMOOTHING, LEARNING_RATE

# Dtype policy, and `jit_compile`, of each format.
SETTINGS = {
    "mixed_bfloat16": ("mixed_bfloat16", False),
    "float32": ("float32", False),
    "mixed_bfloat16 XLA": ("mixed_bfloat16", True),
    "float32 XLA": ("float32", True),
    "defaults": ("float32", "auto"),
}


class KerasTrainer:
    """Compile a model, and fit it to the batches of a dataset.

    Without tf.data's tuning thread: a repetition is a few steps, and `fit` waited at its
    end until that thread woke, for a second and more.
    """

    def __init__(self, model, batches, jit_compile):
        model.compile(
            keras.optimizers.Adam(LEARNING_RATE, *BETAS, EPSILON),
            loss=ka.MaskedCrossentropy(LABEL_SMOOTHING),
            jit_compile=jit_compile,
        )
        self.model = model
        self.batches = untuned(batches)
        self.parameters = model.count_params()
        self.steps = len(batches)

    def first_step(self):
        return self._fit(self.batches.take(1))

    def train(self):
        return self._fit(self.batches)

    def peak_mib(self):
        return peak_mib()

    def _fit(self, batches):
        history = self.model.fit(batches, shuffle=False, verbose=0)
        return float(history.history["loss"][-1])


def ready_made(case):
    """The batches of the case as a dataset."""
    [batch] = {id(batch): batch for batch in case.batches}.values()
    source_ids, target_ids, labels = batch
    inputs = {"source_ids": source_ids, "target_ids": target_ids}
    return tf.data.Dataset.from_tensors((inputs, labels)).repeat(len(case.batches))
