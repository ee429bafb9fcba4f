"""What all are trained on: a folder that `training_data.py` wrote."""

import functools
import json
import pathlib

import numpy as np

CHECKED_ROWS = 8


class TrainingCase:
    """The sizes of a model, and what it is to learn in one repetition.

    Attributes:
        config: `model`, the sizes by the names of `keras_attention.Transformer`;
            `vocab_size`, shared by source and target; `batch_tokens`, most tokens of
            a side in a batch; `longest`, most tokens of a sentence of the corpus, END
            included; `tokens`, source and target tokens of one repetition, padding
            apart; `copies`, how often its batches are taken; `checked_loss`, our loss
            of `checked_batch` from `checked_weights`, without dropout.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.config = json.loads((self.folder / "config.json").read_text())

    @functools.cached_property
    def batches(self):
        """Source ids, target ids and labels of each batch, (B, W) each, int32."""
        with np.load(self.folder / "batches.npz") as arrays:
            flat = [arrays[f"arr_{index}"] for index in range(len(arrays.files))]
        return list(zip(*3 * [iter(flat)])) * self.config["copies"]

    @property
    def checked_batch(self):
        return [array[:CHECKED_ROWS] for array in self.batches[0]]

    @property
    def checked_weights(self):
        """Weights of our model in float32, by the paths that Keras gives them."""
        return dict(np.load(self.folder / "weights.npz"))

    @functools.cached_property
    def pairs(self):
        """The source lines and the target lines; None where there is no text."""
        path = self.folder / "pairs.json"
        return json.loads(path.read_text()) if path.exists() else None

    @property
    def tokenizer_path(self):
        return self.folder / "tokenizer.model"


def write_case(folder, batches, copies=1, pairs=None, **config):
    """Write what `TrainingCase` reads, but for the tokenizer and the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "batches.npz", *(array for batch in batches for array in batch))
    if pairs:
        (folder / "pairs.json").write_text(json.dumps(pairs))
    config.update(copies=copies, tokens=copies * sum(map(count_tokens, batches)))
    write_config(folder, config)


def write_config(folder, config):
    (folder / "config.json").write_text(json.dumps(config))


def count_tokens(batch):
    """Source and target tokens, padding apart."""
    source_ids, _, labels = batch
    return int(np.count_nonzero(source_ids) + np.count_nonzero(labels))
