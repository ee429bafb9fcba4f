"""The Transformer, from sentences to sentences.

    sentences
      | text.tokenizer, text.dataset
    token ids (B, T)
      | layers.token_embedding, layers.positional_encoding
    vectors (B, T, D)
      | layers.encoder_layer, layers.decoder_layer
    vectors (B, T, D)
      | models.transformer
    logits (B, T, V)
      | training.loss while learning, decoding.* afterwards
    token ids -> export.translator -> sentences

B batch, T query or target length, S key or source length, D model width, N heads,
H width of a head, F feed-forward width, V vocabulary, K beams, R = B * K hypotheses.
"""

import importlib

from keras_attention.decoding.beam_search import Hypotheses, beam_search
from keras_attention.decoding.constraints import (
    forbid_end_before,
    forbid_repeated_ngrams,
    force_prefix,
    penalize_repetition,
    suppress_tokens,
)
from keras_attention.decoding.ensemble import ensemble
from keras_attention.decoding.greedy_search import greedy_search
from keras_attention.decoding.sampling import sample
from keras_attention.decoding.scoring import Scores, score
from keras_attention.decoding.search_settings import SearchSettings
from keras_attention.decoding.source_coverage import coverage_penalty
from keras_attention.embeddings.fasttext import train_fasttext
from keras_attention.embeddings.glove import train_glove
from keras_attention.embeddings.loading import load_word_vectors
from keras_attention.embeddings.pretrained_embedding import (
    Coverage,
    pretrained_embedding,
)
from keras_attention.embeddings.word2vec import train_word2vec
from keras_attention.layers.additive_attention import AdditiveAttention
from keras_attention.layers.bidirectional_lstm import BidirectionalLSTM
from keras_attention.layers.character_embedding import CharacterEmbedding
from keras_attention.layers.decoder_layer import DecoderLayer
from keras_attention.layers.dropout import Dropout
from keras_attention.layers.encoder_layer import EncoderLayer
from keras_attention.layers.feed_forward import FeedForward
from keras_attention.layers.gather_positions import GatherPositions
from keras_attention.layers.highway import Highway
from keras_attention.layers.layer_normalization import LayerNormalization
from keras_attention.layers.learned_positional_encoding import LearnedPositionalEncoding
from keras_attention.layers.multi_head_cross_attention import MultiHeadCrossAttention
from keras_attention.layers.multi_head_self_attention import MultiHeadSelfAttention
from keras_attention.layers.multiplicative_attention import MultiplicativeAttention
from keras_attention.layers.output_bias import OutputBias
from keras_attention.layers.positional_encoding import PositionalEncoding
from keras_attention.layers.recurrent_decoder import RecurrentDecoder
from keras_attention.layers.recurrent_encoder import RecurrentEncoder
from keras_attention.layers.residual import Residual
from keras_attention.layers.scalar_mix import ScalarMix
from keras_attention.layers.segment_encoding import SegmentEncoding
from keras_attention.layers.token_embedding import TokenEmbedding
from keras_attention.models.attention_maps import AttentionMaps
from keras_attention.models.bert import Bert
from keras_attention.models.bert_classifier import BertClassifier
from keras_attention.models.bert_pretraining import BertPretraining
from keras_attention.models.bert_tagger import BertTagger
from keras_attention.models.classifier import TextClassifier
from keras_attention.models.elmo import Elmo
from keras_attention.models.ensemble_model import Ensemble
from keras_attention.models.language_model import LanguageModel
from keras_attention.models.recurrent_seq2seq import RecurrentSeq2Seq
from keras_attention.models.transformer import Transformer
from keras_attention.plots.attention_figure import plot_attention
from keras_attention.plots.attention_page import attention_page
from keras_attention.plots.learning_curves import plot_learning_curves
from keras_attention.plots.positions import plot_positions
from keras_attention.plots.quality import plot_quality_by_length
from keras_attention.plots.word_vectors import plot_word_vectors
from keras_attention.text.line_batches import LineBatches
from keras_attention.text.pretraining_batches import PretrainingBatches
from keras_attention.text.spelling import spell
from keras_attention.text.token_batches import TokenBatches
from keras_attention.text.word_batches import WordBatches
from keras_attention.training.accumulation import accumulation_steps
from keras_attention.training.averaging import average_checkpoints
from keras_attention.training.bad_loss import StopOnBadLoss
from keras_attention.training.bleu import BleuCallback
from keras_attention.training.checkpoints import Checkpoints
from keras_attention.training.evaluation import Evaluation, evaluate
from keras_attention.training.fast_road import FastRoad, set_fast_road
from keras_attention.training.loss import MaskedCrossentropy
from keras_attention.training.metrics import MaskedAccuracy, Perplexity
from keras_attention.training.resume import ResumableTraining
from keras_attention.training.schedule import WarmupSchedule

__version__ = "0.1.0"

# Imported on first use, since they need TensorFlow and tensorflow-text, which the
# layers, models and searches on JAX and torch do without.
ON_USE = {
    "SubwordTokenizer": "keras_attention.text.tokenizer",
    "translation_dataset": "keras_attention.text.dataset",
    "read_sentence_pairs": "keras_attention.text.corpus",
    "WordPieceTokenizer": "keras_attention.text.wordpiece",
    "CharacterTokenizer": "keras_attention.text.character_tokenizer",
    "Translator": "keras_attention.export.translator",
    "SentenceEncoder": "keras_attention.export.sentence_encoder",
    "SentenceClassifier": "keras_attention.export.sentence_classifier",
    "TextGenerator": "keras_attention.export.text_generator",
    "BertTextClassifier": "keras_attention.export.bert_text_classifier",
    "BertWordTagger": "keras_attention.export.bert_word_tagger",
    "TextModel": "keras_attention.export.text_model",
    "MarianTokenizer": "keras_attention.text.marian_tokenizer",
    "load_marian": "keras_attention.interop.marian",
    "save_marian": "keras_attention.interop.marian",
    "load_bert": "keras_attention.interop.hugging_face_bert",
    "load_bert_pretraining": "keras_attention.interop.hugging_face_bert",
    "load_bert_classifier": "keras_attention.interop.hugging_face_bert",
    "load_bert_tagger": "keras_attention.interop.hugging_face_bert",
    "write_warm_up_requests": "keras_attention.export.warm_up",
}

__all__ = [
    "SubwordTokenizer",
    "MarianTokenizer",
    "WordPieceTokenizer",
    "CharacterTokenizer",
    "read_sentence_pairs",
    "translation_dataset",
    "TokenBatches",
    "LineBatches",
    "PretrainingBatches",
    "spell",
    "WordBatches",
    "train_word2vec",
    "train_fasttext",
    "train_glove",
    "load_word_vectors",
    "pretrained_embedding",
    "Coverage",
    "plot_word_vectors",
    "TokenEmbedding",
    "PositionalEncoding",
    "LearnedPositionalEncoding",
    "SegmentEncoding",
    "GatherPositions",
    "OutputBias",
    "CharacterEmbedding",
    "Highway",
    "BidirectionalLSTM",
    "ScalarMix",
    "MultiHeadSelfAttention",
    "MultiHeadCrossAttention",
    "FeedForward",
    "Dropout",
    "LayerNormalization",
    "Residual",
    "EncoderLayer",
    "DecoderLayer",
    "AdditiveAttention",
    "MultiplicativeAttention",
    "RecurrentEncoder",
    "RecurrentDecoder",
    "Transformer",
    "RecurrentSeq2Seq",
    "Ensemble",
    "Bert",
    "LanguageModel",
    "TextClassifier",
    "BertPretraining",
    "BertClassifier",
    "BertTagger",
    "Elmo",
    "set_fast_road",
    "FastRoad",
    "MaskedCrossentropy",
    "MaskedAccuracy",
    "Perplexity",
    "WarmupSchedule",
    "accumulation_steps",
    "ResumableTraining",
    "StopOnBadLoss",
    "BleuCallback",
    "Checkpoints",
    "average_checkpoints",
    "evaluate",
    "Evaluation",
    "greedy_search",
    "beam_search",
    "Hypotheses",
    "sample",
    "score",
    "Scores",
    "ensemble",
    "forbid_repeated_ngrams",
    "penalize_repetition",
    "suppress_tokens",
    "forbid_end_before",
    "force_prefix",
    "coverage_penalty",
    "SearchSettings",
    "Translator",
    "SentenceEncoder",
    "SentenceClassifier",
    "TextGenerator",
    "BertTextClassifier",
    "BertWordTagger",
    "TextModel",
    "load_marian",
    "save_marian",
    "load_bert",
    "load_bert_pretraining",
    "load_bert_classifier",
    "load_bert_tagger",
    "write_warm_up_requests",
    "AttentionMaps",
    "plot_attention",
    "attention_page",
    "plot_positions",
    "plot_learning_curves",
    "plot_quality_by_length",
]


def __getattr__(name):
    if name not in ON_USE:
        raise AttributeError(f"module 'keras_attention' has no attribute {name!r}")
    return getattr(importlib.import_module(ON_USE[name]), name)


def __dir__():
    return sorted(__all__)
