"""Write what all are trained on: batches of ids, and the sentences they are from.

    python training_data.py REQUEST

REQUEST is a JSON object: `kind` is the name of a function of this file, `folder` the
one to write to, and the rest is what that function takes.
"""

import json
import pathlib
import sys

import keras
import numpy as np
from case import END, START
from training_case import TrainingCase, write_case, write_config
from training_peers import LABEL_SMOOTHING
from training_peers.our_model import build_model

import keras_attention as ka


def main():
    request = json.loads(sys.argv[1])
    folder = pathlib.Path(request.pop("folder"))
    make = {"fixed": fixed, "real": real}[request.pop("kind")]
    make(folder, **request)
    add_check(TrainingCase(folder))


def fixed(folder, model, vocab_size, batch_tokens, length, steps):
    """One batch of random tokens, all sentences equally long, taken again and again."""
    random = np.random.default_rng(0)
    shape = (batch_tokens // length, length)
    source_ids, labels = random.integers(
        END + 1, vocab_size, (2, *shape), dtype="int32"
    )
    source_ids[:, -1] = labels[:, -1] = END
    target_ids = np.roll(labels, 1, axis=1)
    target_ids[:, 0] = START
    write_case(
        folder,
        [(source_ids, target_ids, labels)],
        copies=steps,
        model=model,
        vocab_size=vocab_size,
        batch_tokens=batch_tokens,
        longest=length,
    )


def real(folder, model, vocab_size, batch_tokens, source, target, padded_batches):
    """Sentence pairs spread over a corpus, as many as fill some batches of full length.

    Args:
        folder: Where to write to.
        model, vocab_size, batch_tokens: As in `TrainingCase`.
        source, target: Files of the corpus.
        padded_batches: Batches that the pairs fill when each is padded to the longest
            sentence of the corpus.
    """
    lines = ka.read_sentence_pairs(source, target)
    tokenizer = ka.SubwordTokenizer.train(
        [line for side in lines for line in side], vocab_size, model_type="bpe"
    )
    longest = 1 + max(
        int(tokenizer.tokenize(side).row_lengths().numpy().max()) for side in lines
    )
    count = padded_batches * (batch_tokens // longest)
    chosen = np.linspace(0, len(lines[0]) - 1, count).astype(int)
    pairs = [[side[index] for index in chosen] for side in lines]
    dataset = ka.translation_dataset(
        *pairs, tokenizer, tokenizer, batch_tokens=batch_tokens
    )
    batches = [
        (inputs["source_ids"], inputs["target_ids"], labels)
        for inputs, labels in dataset.as_numpy_iterator()
    ]
    write_case(
        folder,
        batches,
        pairs=pairs,
        model=model,
        vocab_size=vocab_size,
        batch_tokens=batch_tokens,
        longest=longest,
    )
    tokenizer.save(folder / "tokenizer.model")


def add_check(case):
    """Write weights and our loss, in float32 and without dropout, to compare with."""
    keras.utils.set_random_seed(0)
    model = build_model(case.config, "float32")
    for weight in model.weights:
        # Biases start as zeros, and could be swapped without being noticed.
        weight.assign_add(keras.random.normal(weight.shape, stddev=0.02))
    source_ids, target_ids, labels = case.checked_batch
    logits = model({"source_ids": source_ids, "target_ids": target_ids})
    loss = float(ka.MaskedCrossentropy(LABEL_SMOOTHING)(labels, logits))
    weights = {w.path: keras.ops.convert_to_numpy(w) for w in model.weights}
    np.savez(case.folder / "weights.npz", **weights)
    write_config(case.folder, {**case.config, "checked_loss": loss})


if __name__ == "__main__":
    main()
