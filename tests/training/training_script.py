"""A small training as a user writes it, to be killed and started again.

python training_script.py STATE PAUSE, where each step takes PAUSE seconds more.
"""

import sys
import time

import keras
import numpy as np

import keras_attention as ka
from keras_attention.text.token_batches import TokenBatches
from keras_attention.training.resume import ResumableTraining

EVERY = 3
EPOCHS = 3


class ShowSteps(keras.callbacks.Callback):
    """Print the number of each step when it is done, and take some time."""

    def __init__(self, pause):
        super().__init__()
        self.pause = pause

    def on_train_batch_end(self, batch, logs=None):
        print("step", int(self.model.optimizer.iterations), flush=True)
        time.sleep(self.pause)


def random_ids(generator, vocab_size):
    return [
        generator.integers(4, vocab_size, generator.integers(1, 9)).tolist()
        for _ in range(60)
    ]


def data():
    """Training and validation data, of 15 and 3 batches."""
    generator = np.random.default_rng(0)
    sources, targets = random_ids(generator, 11), random_ids(generator, 13)
    options = {"batch_tokens": 40, "num_widths": 1}
    return (
        TokenBatches(sources, targets, seed=5, **options),
        TokenBatches(sources[:11], targets[:11], shuffle=False, **options),
    )


def transformer():
    keras.utils.set_random_seed(7)
    model = ka.Transformer(11, 13, num_layers=1, d_model=12, num_heads=3, d_ff=24)
    model.compile(
        keras.optimizers.Adam(ka.WarmupSchedule(12, 20), 0.9, 0.98, 1e-9),
        ka.MaskedCrossentropy(label_smoothing=0.1),
        metrics=[ka.MaskedAccuracy(), ka.Perplexity()],
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


def main(state, pause):
    train, valid = data()
    model = transformer()
    show = ShowSteps(float(pause))
    resume = ResumableTraining(state, model, train, every=EVERY, callbacks=[show])
    model.fit(**resume.fit_arguments(), epochs=EPOCHS, validation_data=valid, verbose=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
