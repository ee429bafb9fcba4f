"""A small search as a user writes it, to be killed, started again, or shared.

python tuning_script.py FOLDER TRIALS PAUSE, where each trial takes PAUSE seconds more.
"""

import json
import sys
import time

import keras
import numpy as np

from keras_attention.tuning import TransformerHyperModel, tune

LOST_AFTER = 8.0


class Announce(keras.callbacks.Callback):
    """Say when a trial is trained, and take some time for it."""

    def __init__(self, pause):
        super().__init__()
        self.pause = pause

    def on_train_begin(self, logs=None):
        print("training", flush=True)
        time.sleep(self.pause)


def pairs(count, seed):
    """Sentences and their translations: the same tokens, backwards."""
    generator = np.random.default_rng(seed)
    sources = [
        generator.integers(4, 11, generator.integers(1, 6)).tolist()
        for _ in range(count)
    ]
    return sources, [source[::-1] for source in sources]


def small_hyper_model(**arguments):
    """Models of which each is trained in a moment."""
    fixed = {
        "num_layers": 1,
        "num_decoder_layers": 1,
        "d_model": 8,
        "num_heads": 2,
        "d_ff": [8, 16],
        "norm_first": False,
        "warmup_steps": 10,
        "batch_tokens": 100,
        "max_length": 8,
        "jit_compile": keras.backend.backend() == "jax",
    }
    return TransformerHyperModel(11, 11, **{**fixed, **arguments})


def main(folder, trials, pause):
    hyper_model = small_hyper_model(callbacks=lambda model: [Announce(float(pause))])
    result = tune(
        hyper_model,
        pairs(60, seed=0),
        pairs(20, seed=1),
        folder,
        max_trials=int(trials),
        epochs=1,
        lost_after=LOST_AFTER,
        verbose=0,
    )
    if result is not None:
        rows = [[row.trial, row.status, row.score] for row in result.rows]
        print("rows", json.dumps(rows), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
