"""Sentences -> token ids (B, T) -> batches.

All but the batches, `spell` and `RaggedIds` need TensorFlow and tensorflow-text, so a
name is imported when it is first used.
"""

import importlib

MODULES = {
    "SubwordTokenizer": "tokenizer",
    "MarianTokenizer": "marian_tokenizer",
    "WordPieceTokenizer": "wordpiece",
    "CharacterTokenizer": "character_tokenizer",
    "read_sentence_pairs": "corpus",
    "translation_dataset": "dataset",
    "TokenBatches": "token_batches",
    "LineBatches": "line_batches",
    "PretrainingBatches": "pretraining_batches",
    "WordBatches": "word_batches",
    "spell": "spelling",
    "RaggedIds": "ragged_ids",
}

__all__ = list(MODULES)


def __getattr__(name):
    if name not in MODULES:
        raise AttributeError(f"module 'keras_attention.text' has no attribute {name!r}")
    module = importlib.import_module(f"keras_attention.text.{MODULES[name]}")
    return getattr(module, name)


def __dir__():
    return sorted(__all__)
