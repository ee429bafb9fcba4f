"""BERT models of random weights with heads, made by transformers; and what it says.

Run as a program, because PyTorch and TensorFlow do not always get on in one process: it
takes a list of jobs as JSON.
"""

import json
import pathlib
import sys

import numpy as np

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnop"]
SIZES = {
    "vocab_size": len(PIECES),
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
}


def make_inputs(seed=0):
    """Two rows of tokens, the second padded, in two segments."""
    ids = np.random.default_rng(seed).integers(1, len(PIECES), (2, 9))
    ids[1, 6:] = 0
    segments = np.tile([0, 0, 0, 0, 1, 1, 1, 1, 1], (2, 1))
    return {"token_ids": ids, "segment_ids": segments}


def make_folder(folder, architecture, seed=0, **config):
    """Write a model as transformers does, and what it says: expected.npz."""
    import torch
    import transformers

    torch.manual_seed(seed)
    config = transformers.BertConfig(**{**SIZES, **config})
    model = getattr(transformers, architecture)(config).eval()
    with torch.no_grad():
        for weight in model.parameters():  # larger than new ones, and biases of no 0
            weight.add_(0.3 * torch.randn_like(weight))
        inputs = make_inputs(seed)
        ids = torch.tensor(inputs["token_ids"])
        outputs = model(
            input_ids=ids,
            token_type_ids=torch.tensor(inputs["segment_ids"]),
            attention_mask=(ids != 0).long(),
        )
    folder = pathlib.Path(folder)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in PIECES))
    expected = {
        name: outputs[name].numpy()
        for name in ("logits", "prediction_logits", "seq_relationship_logits")
        if name in outputs
    }
    np.savez(folder / "expected.npz", **inputs, **expected)


if __name__ == "__main__":
    for job in json.load(sys.stdin):
        make_folder(**job)
