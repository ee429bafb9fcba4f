"""A small corpus in files, and a translator trained on it for a moment."""

import random

import pytest

from keras_attention.runs.settings import TrainingSettings

TINY = {
    "vocab_size": 30,
    "model_type": "char",
    "num_layers": 1,
    "d_model": 8,
    "num_heads": 2,
    "d_ff": 12,
    "batch_tokens": 160,
    "warmup_steps": 3,
    "dtype": "float32",
    "averaged": 2,
    "epochs": 2,
}


def write_corpus(folder, number=40):
    """Words, and the same words backwards: two files."""
    draw = random.Random(0)
    words = [
        "".join(draw.choices("abcdef", k=draw.randint(1, 9))) for _ in range(number)
    ]
    paths = folder / "words", folder / "sdrow"
    paths[0].write_text("".join(f"{word}\n" for word in words))
    paths[1].write_text("".join(f"{word[::-1]}\n" for word in words))
    return [str(path) for path in paths]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def settings(corpus):
    return TrainingSettings(*corpus, **TINY)


@pytest.fixture(scope="session")
def trained(settings, tmp_path_factory):
    """(settings, folder, translator) of a training that came to its end."""
    from keras_attention.runs.train import train_translator

    folder = tmp_path_factory.mktemp("runs") / "words"
    return settings, folder, train_translator(settings, folder, verbose=0)
