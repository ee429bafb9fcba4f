"""Sentences -> token ids (B, T) -> batches. Needs TensorFlow and tensorflow-text."""

from keras_attention.text.corpus import read_sentence_pairs
from keras_attention.text.dataset import translation_dataset
from keras_attention.text.tokenizer import SubwordTokenizer

__all__ = ["SubwordTokenizer", "read_sentence_pairs", "translation_dataset"]
