"""What the peers share: a model's weights, its tokenizers, sentences, a search."""

import dataclasses
import functools
import json
import os
import pathlib

import numpy as np
import sentencepiece

# As in keras_attention.special_tokens, which peers do not import.
PAD, UNKNOWN, START, END = 0, 1, 2, 3
FORBIDDEN_LOGIT = -1e9

LAYER_NORM_EPSILON = 1e-6


@dataclasses.dataclass(frozen=True)
class Search:
    """What is searched for: settings that all peers understand.

    Attributes:
        beam_size: K, hypotheses kept for each sentence; 1 is greedy search.
        length_penalty: Exponent of the length, by each peer's own formula: ours is
            ((5 + length) / 6) ** penalty, the others take length ** penalty. With 0
            all rank by log probability alone.
        new_tokens: Exact number of tokens to find, END included; None lets each
            sentence end where it ends.
        length_ratio, length_offset: Else, a translation gets at most length_ratio
            times as many tokens as its source, and length_offset more.
    """

    beam_size: int
    length_penalty: float
    new_tokens: int | None = None
    length_ratio: float = 1.0
    length_offset: int = 50

    @property
    def name(self):
        """A name for a folder."""
        return f"beam-{self.beam_size}-penalty-{self.length_penalty:g}"

    @property
    def min_tokens(self):
        """Fewest new tokens, END included."""
        return self.new_tokens or 0

    def max_tokens(self, source_length):
        """Most new tokens for sources of at most `source_length` tokens."""
        return self.new_tokens or (
            int(self.length_ratio * source_length) + self.length_offset
        )


class Case:
    """A folder that `prepare.py` wrote: one model, and what it is to translate."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    @functools.cached_property
    def config(self):
        """The arguments of `keras_attention.Transformer`."""
        return json.loads((self.folder / "config.json").read_text())

    @functools.cached_property
    def sentences(self):
        """Batches by size, and the test set: see `prepare.py`."""
        return json.loads((self.folder / "sentences.json").read_text())

    @functools.cached_property
    def weights(self):
        """The weights in float32, by the paths that Keras gives them."""
        return dict(np.load(self.folder / "weights.npz"))

    @functools.cached_property
    def check(self):
        """A batch with given targets, and what our model makes of it in float32:

        source_ids (B, S), target_ids (B, T) with START first, labels (B, T) with END
        last, and logits (B, T, V).
        """
        return dict(np.load(self.folder / "check.npz"))

    @functools.cached_property
    def source_tokenizer(self):
        return self._tokenizer("source")

    @functools.cached_property
    def target_tokenizer(self):
        return self._tokenizer("target")

    def export_folder(self, number_format, search):
        """Where the SavedModel of a search lies; any one can search greedily, too."""
        folder = self.folder / "exports" / number_format
        found = folder / search.name
        if search.beam_size == 1 and not found.exists():
            found = next(folder.glob("beam-*"), found)
        return found

    def why_not_exported(self, number_format):
        return (self.folder / "exports" / number_format / "skipped.txt").read_text()

    def encode(self, texts):
        """Sentences -> a list of token ids for each, END included."""
        return [ids + [END] for ids in self.source_tokenizer.encode(texts)]

    def decode(self, ids):
        """Token ids of one sentence -> its text; what follows END is ignored."""
        ids = list(ids)
        end = ids.index(END) if END in ids else len(ids)
        text_ids = [int(i) for i in ids[:end] if i not in (PAD, START)]
        return self.target_tokenizer.decode(text_ids)

    def _tokenizer(self, side):
        path = self.folder / "translator" / f"{side}_tokenizer.model"
        return sentencepiece.SentencePieceProcessor(model_file=str(path))


def pad(rows):
    """Lists of ids -> (B, T), int64, PAD at the end."""
    width = max(map(len, rows))
    return np.array([row + [PAD] * (width - len(row)) for row in rows], dtype="int64")


def sinusoid(length, d_model):
    """The table of the paper's positions, (T, D): sines and cosines alternate."""
    rates = 10000.0 ** (-np.arange(0, d_model, 2) / d_model)
    angles = np.arange(length)[:, None] * rates  # (T, D / 2)
    pairs = np.stack([np.sin(angles), np.cos(angles)], axis=-1)  # (T, D / 2, 2)
    return pairs.reshape(length, -1)[:, :d_model].astype("float32")


def forbidden_tokens(vocab_size):
    """A bias (V,) on the logits by which PAD and START are never proposed."""
    bias = np.zeros(vocab_size, dtype="float32")
    bias[[PAD, START]] = FORBIDDEN_LOGIT
    return bias


def require_shared_embeddings(owner, config):
    """Raise ValueError unless one matrix serves source, target and output."""
    if not config["share_embeddings"]:
        raise ValueError(
            f"{owner}: got share_embeddings=False, but only a model with shared "
            f"embeddings is copied here. Measure such a one."
        )


def cores():
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0))
