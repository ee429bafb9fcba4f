"""Train the recipe of multi30k.py on JAX, on a GPU say, without TensorFlow.

    KERAS_BACKEND=jax python examples/multi30k_jax.py
    KERAS_BACKEND=jax python examples/multi30k_jax.py --seed 1     another run

The same sentences, cut by sentencepiece itself, in the same batches; the same model and
optimizers; a beam search that JAX compiles; the same report by sacrebleu. JAX compiles
the training step for each of the six widths of batches: JAX_COMPILATION_CACHE_DIR names
a folder where that is kept for the next run.

Killed and started again by the same command, it goes on from the last state saved. What
it leaves in the folder `--out` is all that it takes to serve the model by TensorFlow:

    tokenizer = ka.SubwordTokenizer.load(f"{out}/pieces.model")
    model = keras.saving.load_model(f"{out}/model.keras")
    ka.Translator(model, tokenizer, tokenizer, beam_size=5).export("saved_models/en-de/1")
"""

import io
import math
import time

import jax
import keras
import multi30k as recipe
import numpy as np
import sentencepiece
from keras import ops

import keras_attention as ka
from keras_attention.special_tokens import END, PAD, START, UNKNOWN

BATCH_SIZE = 256  # sentences translated at once


def main():
    options = recipe.read_options(recipe.recipe_parser(__doc__))
    keras.utils.set_random_seed(options.seed)
    road = ka.set_fast_road()
    splits = {
        split: recipe.read_split(options, split)
        for split in ("train", "val", "test_2016_flickr")
    }
    options.out.mkdir(parents=True, exist_ok=True)
    pieces = learn_pieces(options, splits["train"])
    batches, valid_batches = (
        ka.TokenBatches(
            *map(pieces.encode, splits[split]),
            batch_tokens=options.batch_tokens,
            seed=options.seed,
            shuffle=split == "train",
        )
        for split in ("train", "val")
    )
    accumulated = ka.accumulation_steps(options.update_tokens, options.batch_tokens)
    model = recipe.build(options, pieces.vocab_size())
    model.compile(
        optimizer=recipe.OPTIMIZERS[options.optimizer](options, accumulated),
        loss=ka.MaskedCrossentropy(label_smoothing=options.label_smoothing),
        jit_compile=road.jit_compile,
    )
    epochs = math.ceil(options.updates * (accumulated or 1) / len(batches))
    print(f"{epochs} epochs of {len(batches)} batches, {accumulated or 1} an update")

    started = time.perf_counter()
    checkpoints = train(options, model, batches, valid_batches, epochs)
    print(f"Trained for {(time.perf_counter() - started) / 60:.1f} minutes.")
    mean = ka.average_checkpoints(checkpoints.paths, options.out / "mean.weights.h5")
    model.load_weights(mean)
    model.save(options.out / "model.keras")
    search = make_search(model, options.length_penalty)
    for split in ("val", "test_2016_flickr"):
        sources, references = splits[split]
        translations = translate(search, pieces, sources)
        recipe.report_on(translations, split, references, options)


def learn_pieces(options, sides):
    """The vocabulary of `SubwordTokenizer`, by sentencepiece alone."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for side in sides for line in side]),
        model_writer=written,
        vocab_size=options.vocab_size,
        model_type="bpe",
        normalization_rule_name="identity",
        character_coverage=1.0,
        pad_id=PAD,
        unk_id=UNKNOWN,
        bos_id=START,
        eos_id=END,
        minloglevel=2,
    )
    (options.out / "pieces.model").write_bytes(written.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())


def train(options, model, batches, valid_batches, epochs):
    """Fit, resumable. Returns the checkpoints."""
    checkpoints = ka.Checkpoints(options.out / "checkpoints", keep=options.averaged)
    resume = ka.ResumableTraining(
        options.out / "state",
        model,
        batches,
        every=options.save_every,
        callbacks=[ka.StopOnBadLoss(batches), checkpoints],
    )
    model.fit(
        **resume.fit_arguments(),
        epochs=epochs,
        validation_data=valid_batches,
        verbose=2,
    )
    return checkpoints


def make_search(model, length_penalty):
    """The beam search of the recipe, compiled: ids (B, S) -> ids (B, T), START first."""

    @jax.jit
    def search(source_ids):
        # START, and as many tokens as the source has, and 50 more.
        limits = 51 + ops.sum(ops.cast(source_ids != PAD, "int32"), axis=1)
        max_length = 51 + source_ids.shape[1]
        next_logits, start_ids, cache = model.start_search(source_ids, max_length)
        return ka.beam_search(
            next_logits,
            start_ids,
            max_length=max_length,
            beam_size=5,
            length_penalty=length_penalty,
            length_offset=0.0,
            length_limits=limits,
            cache=cache,
        ).ids[:, 0]

    return search


def translate(search, pieces, sources):
    """Sentences -> their translations."""
    rows = [ids + [END] for ids in pieces.encode(sources)]
    source_ids = np.full((len(rows), max(map(len, rows))), PAD, "int32")
    for row, ids in zip(source_ids, rows):
        row[: len(ids)] = ids
    found = [
        np.asarray(search(source_ids[first : first + BATCH_SIZE]))
        for first in range(0, len(rows), BATCH_SIZE)
    ]
    return [pieces.decode(until_end(ids)) for part in found for ids in part]


def until_end(ids):
    """(T,), START first -> a list of ids without the special tokens."""
    ids = ids[1:].tolist()
    return ids[: ids.index(END)]


if __name__ == "__main__":
    main()
