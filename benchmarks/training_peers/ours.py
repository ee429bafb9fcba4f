"""Our `Transformer`, and our `translation_dataset`."""

import keras

import keras_attention as ka
from training_peers.keras_trainer import SETTINGS, KerasTrainer, ready_made
from training_peers.our_model import build_model


def build(case, number_format):
    policy, jit_compile = SETTINGS[number_format]
    keras.utils.set_random_seed(0)
    batches = from_text(case) if case.pairs else ready_made(case)
    return KerasTrainer(build_model(case.config, policy), batches, jit_compile)


def from_text(case):
    """Batches of the sentence pairs, in our widths, mixed anew each time."""
    tokenizer = ka.SubwordTokenizer.load(case.tokenizer_path)
    return ka.translation_dataset(
        *case.pairs, tokenizer, tokenizer, batch_tokens=case.config["batch_tokens"]
    )
