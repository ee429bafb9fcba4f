"""Learn a language model in both directions, and look at words in their sentences.

    python examples/elmo.py                          300 news articles in gensim
    python examples/elmo.py --text train.en.gz --translations train.de.gz
                                                     captions of Multi30k
"""

import argparse
import collections
import gzip
import pathlib
import time

import keras
import numpy as np

import keras_attention as ka

# Of a word, its two marks included; the longest of the captions has 16 letters.
CHARACTERS = 20


def main():
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer = ka.CharacterTokenizer(CHARACTERS)
    sentences = tokenizer.words(read_lines(options.text))
    train, held_out = split(sentences)
    print(f"{len(sentences)} sentences, {sum(map(len, sentences))} words")
    elmo = learn(train, held_out, options)
    elmo.save(options.out / "elmo.keras")


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", type=pathlib.Path, help="a sentence a line, gzipped or not")
    add("--translations", type=pathlib.Path, help="of these lines, into German")
    add("--out", type=pathlib.Path, default="saved_models/elmo")
    add("--d-model", type=int, default=128, help="width of a direction (default: 128)")
    add("--epochs", type=int, default=8, help="passes over the text (default: 8)")
    add("--seed", type=int, default=0)
    return parser.parse_args()


def read_lines(path):
    """The lines of a file."""
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def split(sentences):
    """All but the last tenth, and that."""
    first = len(sentences) * 9 // 10
    return sentences[:first], sentences[first:]


def learn(train, held_out, options):
    """Train the language model, and print its perplexity on what is held out."""
    counts = collections.Counter(word for words in train for word in words)
    vocabulary = [word for word, count in counts.most_common() if count >= 5]
    shared = {"max_characters": CHARACTERS, "batch_tokens": 1024, "num_widths": 4}
    batches = ka.WordBatches(train, vocabulary, seed=options.seed, **shared)
    elmo = ka.Elmo(
        batches.vocab_size,
        d_model=options.d_model,
        filters=[[1, 16], [2, 16], [3, 32], [4, 64], [5, 64]],
        num_highways=1,
        max_characters=CHARACTERS,
        dropout_rate=0.2,
    )
    print(f"{len(vocabulary)} words to guess, {elmo.count_params():,} parameters")
    steps = options.epochs * len(batches)
    rate = keras.optimizers.schedules.CosineDecay(0.002, steps)
    directions = ("forward", "backward")
    elmo.compile(
        keras.optimizers.Adam(rate, clipnorm=1.0),
        loss={direction: ka.MaskedCrossentropy() for direction in directions},
        metrics={direction: ka.Perplexity() for direction in directions},
        jit_compile=False,
    )
    held_out = ka.WordBatches(held_out, vocabulary, shuffle=False, **shared)
    started = time.process_time()
    elmo.fit(batches, validation_data=held_out, epochs=options.epochs, verbose=2)
    print(f"{time.process_time() - started:.0f} s of a CPU core")
    return elmo


if __name__ == "__main__":
    main()
