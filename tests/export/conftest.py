"""A translator of random weights: what it says is nonsense, and always the same."""

import random

import keras
import pytest

import keras_attention as ka

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def random_words(count, longest=9, seed=0):
    generator = random.Random(seed)
    return [
        "".join(generator.choices(LETTERS, k=generator.randint(1, longest)))
        for _ in range(count)
    ]


def transformer(vocab_size, dtype):
    return ka.Transformer(
        vocab_size,
        vocab_size,
        num_layers=2,
        d_model=12,
        num_heads=3,
        d_ff=20,
        share_embeddings=True,
        dtype=dtype,
    )


def random_translator(beam_size=3, dtype="float32", make=transformer, **settings):
    keras.utils.set_random_seed(0)
    tokenizer = ka.SubwordTokenizer.train([LETTERS, "가나다"], model_type="char")
    model = make(tokenizer.vocab_size, dtype)
    # Larger weights than usual, so that answers depend on the question.
    for weight in model.trainable_weights:
        weight.assign(2 * weight)
    settings = {"max_length": (1.0, 5), "max_source_length": 40, **settings}
    return ka.Translator(model, tokenizer, tokenizer, beam_size=beam_size, **settings)


@pytest.fixture(scope="session")
def translator():
    return random_translator()


@pytest.fixture(scope="session")
def exported(translator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "words" / "1"
    translator.export(folder)
    return folder
