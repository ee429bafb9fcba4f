"""Our `Transformer` on JAX, learning arrays by `fit`: TensorFlow is not there."""

import jax
import keras
from memory import peak_mib

import keras_attention as ka
from training_peers import BETAS, EPSILON, LABEL_SMOOTHING, LEARNING_RATE
from training_peers.our_model import build_model


def build(case, number_format):
    policy, _, attention = number_format.partition(" ")
    if attention == "plain":
        keras.config.disable_flash_attention()
    keras.utils.set_random_seed(0)
    return JaxTrainer(build_model(case.config, policy), case.batches)


class JaxTrainer:
    """Compile a model by XLA, and fit it to batches of arrays."""

    def __init__(self, model, batches):
        model.compile(
            keras.optimizers.Adam(LEARNING_RATE, *BETAS, EPSILON),
            loss=ka.MaskedCrossentropy(LABEL_SMOOTHING),
            jit_compile=True,
        )
        self.model = model
        self.batches = batches
        self.parameters = model.count_params()
        self.steps = len(batches)

    def first_step(self):
        return self._fit(self.batches[:1])

    def train(self):
        return self._fit(self.batches)

    def peak_mib(self):
        of_gpu = jax.devices()[0].memory_stats()  # None on a CPU
        return of_gpu["peak_bytes_in_use"] / 2**20 if of_gpu else peak_mib()

    def _fit(self, batches):
        history = self.model.fit(Batches(batches), shuffle=False, verbose=0)
        return history.history["loss"][-1]


class Batches(keras.utils.PyDataset):
    """The batches of a case, as `fit` takes them."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        source_ids, target_ids, labels = self.batches[index]
        return {"source_ids": source_ids, "target_ids": target_ids}, labels
