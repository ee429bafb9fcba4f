"""RNN, LSTM, LSTM with attention, Transformer: what each step brought, measured.

Four models of about equally many parameters learn the same task from the same batches,
for as many epochs: English letters to phonemes (the CMU Pronouncing Dictionary), and
English to German (Multi30k, where its folder is given). Each is then measured on what it
has not seen, all together and by the length of the source; exported; and asked in a
fresh process that does not know this package.

    python examples/history.py                                  the dictionary alone
    python examples/history.py --words 20000 --epochs 8         a smaller part of it
    python examples/history.py --tasks multi30k --data ../shared/data/multi30k/tok
    python examples/history.py --systems lstm transformer       two of the four

The folder `--out` then holds, for each task, the export and the figures of each system
(`result.json`), and over all of these `table.md`, `results.json` and `by_length.png`. A
system that was measured there before keeps its row.
"""

import argparse
import dataclasses
import functools
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import keras
import numpy as np
from multi30k import NAMES
from pronounce import error_rates, parallel_lines, phase, read_dictionary, split_words

import keras_attention as ka


@dataclasses.dataclass(frozen=True)
class System:
    """One way from source to target, of any width.

    Attributes:
        title: What tables and plots call it.
        model: Class of the model.
        settings: Its arguments, but for width and vocabularies.
        peak_rate: Highest learning rate.
    """

    title: str
    model: type
    settings: dict
    peak_rate: float


# All recurrent encoders read both ways, so that attention is all that sets the third
# apart from the second.
SYSTEMS = {
    "rnn": System(
        "RNN",
        ka.RecurrentSeq2Seq,
        {"cell": "simple_rnn", "bidirectional": True},
        1e-3,
    ),
    "lstm": System(
        "LSTM",
        ka.RecurrentSeq2Seq,
        {"cell": "lstm", "bidirectional": True},
        3e-3,
    ),
    "lstm-attention": System(
        "LSTM with attention",
        ka.RecurrentSeq2Seq,
        {"cell": "lstm", "bidirectional": True, "attention": "additive"},
        3e-3,
    ),
    "transformer": System(
        "Transformer", ka.Transformer, {"num_layers": 2, "num_heads": 4}, 5e-3
    ),
}


@dataclasses.dataclass(frozen=True)
class Task:
    """Something to learn, and how to measure it.

    Attributes:
        train, valid, test: (source lines, target lines) each; of the test only the
            source lines are asked.
        tokenizers: Of source and target; the same one twice where they share it.
        parameters: Of each model, about.
        max_length: Most tokens of a translation, as in `SearchSettings`.
        length: `(source line) -> int`, in `unit`.
        unit: What a length counts.
        edges: Where the groups of lengths begin.
        measure: `(source lines, answers, rows of the test) -> {name: figure}`, the
            figure that is drawn first.
        questions: What the export is asked at the end.
        note: What the figures are, for the table.
    """

    train: tuple
    valid: tuple
    test: tuple
    tokenizers: tuple
    parameters: int
    max_length: tuple
    length: Callable
    unit: str
    edges: tuple
    measure: Callable
    questions: list
    note: str


# What a fresh process runs: it knows the SavedModel, and nothing of this package.
ASK = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf, tensorflow_text
answer = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
texts = sys.argv[2:]
for text, found in zip(texts, answer(text=tf.constant(texts))["text"].numpy()):
    print(f"  {text} -> {found.decode()}")
"""


def main():
    options = parse_options()
    keras.config.set_dtype_policy(options.dtype)
    for name in options.tasks:
        with phase(f"{name}: reading"):
            task = TASKS[name](options)
            print(f"{len(task.train[0]):,} pairs to learn from, {task.note}")
        for system in options.systems:
            with phase(f"{name}: {SYSTEMS[system].title}"):
                run(task, SYSTEMS[system], options, options.out / name / system)
        summarize(task, options.out / name)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--tasks", nargs="+", choices=TASKS, default=["cmudict"])
    add("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    add("--epochs", type=int, default=8, help="passes over the data (default: 8)")
    add("--words", type=int, help="learn from this many words only (default: all)")
    add("--sentences", type=int, help="and from this many sentence pairs")
    add("--test", type=int, default=1000, help="words or sentences that are asked")
    add("--data", type=pathlib.Path, help="folder with Multi30k's tokenised files")
    add("--vocab-size", type=int, default=4000, help="pieces both languages share")
    add("--parameters", type=int, help="of each model (default: by the task)")
    add("--batch-tokens", type=int, default=2048, help="source tokens in a batch")
    add("--dropout", type=float, default=0.1, help="share of units dropped")
    add("--beam-size", type=int, default=4, help="hypotheses kept for each source")
    add("--dtype", default="float32", help="Keras dtype policy")
    add("--seed", type=int, default=0)
    add("--out", type=pathlib.Path, default="saved_models/history")
    options = parser.parse_args()
    if "multi30k" in options.tasks and options.data is None:
        parser.error("multi30k needs --data, the folder with its tokenised files")
    return options


def pronunciation(options):
    """Letters to phonemes; a test word counts once, whatever ways there are to say it."""
    dictionary = read_dictionary(stress=False)
    train, valid, test = split_words(dictionary, options.words, options.seed)
    train, valid = (parallel_lines(dictionary, words) for words in (train, valid))
    test = test[: options.test]

    def measure(words, answers, rows):
        word_errors, phoneme_errors = error_rates(dictionary, words, answers)
        return {"phoneme error rate": phoneme_errors, "word error rate": word_errors}

    return Task(
        train=train,
        valid=valid,
        test=(test, None),
        tokenizers=(
            ka.SubwordTokenizer.train(train[0], model_type="char"),
            ka.SubwordTokenizer.train(train[1], model_type="word"),
        ),
        parameters=options.parameters or 300_000,
        max_length=(1.0, 10),
        length=len,
        unit="letters",
        edges=(1, 5, 7, 9, 11, 13),
        measure=measure,
        questions=["transformer", "attention", "recurrent", "internationally"],
        note=f"{len(test):,} test words",
    )


def translation(options):
    """English to German captions, tokenised and lower-cased, one shared vocabulary."""
    train, valid, test = (
        read_pairs(options.data, split)
        for split in ("train", "val", "test_2016_flickr")
    )
    train = tuple(side[: options.sentences] for side in train)
    test = tuple(side[: options.test] for side in test)
    tokenizer = ka.SubwordTokenizer.train(
        [line for side in train for line in side],
        vocab_size=options.vocab_size,
        model_type="bpe",
        normalization="identity",
    )
    signature = ka.evaluate(["a"], ["a"], lowercase=True, tokenize="none").signatures

    def measure(sources, answers, rows):
        references = [test[1][row] for row in rows]
        found = ka.evaluate(answers, references, lowercase=True, tokenize="none")
        return {"BLEU": found.bleu, "chrF": found.chrf}

    return Task(
        train=train,
        valid=valid,
        test=test,
        tokenizers=(tokenizer, tokenizer),
        parameters=options.parameters or 1_500_000,
        max_length=(1.0, 50),
        length=lambda line: len(line.split()),
        unit="words",
        edges=(1, 9, 11, 13, 16, 20),
        measure=measure,
        questions=test[0][:3],
        note=f"{len(test[0]):,} test sentences; BLEU is {signature['bleu']}",
    )


TASKS = {"cmudict": pronunciation, "multi30k": translation}


def read_pairs(folder, split):
    """(English lines, German lines) of Multi30k."""
    names = [NAMES["tok"].format(split, language) for language in ("en", "de")]
    paths = [folder / name for name in names]
    return ka.read_sentence_pairs(
        *(path if path.exists() else f"{path}.gz" for path in paths)
    )


def run(task, system, options, folder):
    """Train, measure, export and ask one system; write what was measured."""
    keras.utils.set_random_seed(options.seed)
    batches, valid_batches = (
        ka.translation_dataset(
            *pairs,
            *task.tokenizers,
            batch_tokens=options.batch_tokens,
            seed=options.seed,
            shuffle=pairs is task.train,
        )
        for pairs in (task.train, task.valid)
    )
    steps = options.epochs * len(batches)
    model = build(task, system, options, steps)
    seconds, cpu_seconds = time.perf_counter(), time.process_time()
    history = model.fit(
        batches,
        validation_data=valid_batches,
        epochs=options.epochs,
        shuffle=False,  # the batches come shuffled
        verbose=2,
    )
    seconds = time.perf_counter() - seconds
    cpu_seconds = time.process_time() - cpu_seconds
    tokens = options.epochs * sum(
        int(np.count_nonzero(labels)) for _, labels in batches
    )

    translator = ka.Translator(
        model, *task.tokenizers, beam_size=options.beam_size, max_length=task.max_length
    )
    answers = translator(task.test[0], batch_size=250)
    result = {
        "title": system.title,
        "parameters": model.count_params(),
        "d_model": model.config["d_model"],
        "epochs": options.epochs,
        "pairs": len(task.train[0]),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "target_tokens": tokens,
        "tokens_per_cpu_second": round(tokens / cpu_seconds),
        "valid_loss": history.history["val_loss"],
        "quality": measured(task, answers, range(len(answers))),
        "by_length": by_length(task, answers),
    }
    translator.export(folder / "1")
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["quality"]))
    ask(folder / "1", task.questions)


def build(task, system, options, steps):
    """The model, compiled: Adam, with a rate that rises and falls as a cosine to 0."""
    make = functools.partial(
        sized, system, *(one.vocab_size for one in task.tokenizers), options.dropout
    )
    model = make(width_for(task.parameters, make))
    warmup = min(300, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=system.peak_rate, warmup_steps=warmup
    )
    model.compile(
        optimizer=keras.optimizers.Adam(
            rate, beta_1=0.9, beta_2=0.98, epsilon=1e-9, global_clipnorm=1.0
        ),
        loss=ka.MaskedCrossentropy(label_smoothing=0.1),
        metrics=[ka.MaskedAccuracy()],
        jit_compile=False,
    )
    return model


def sized(system, source_vocab_size, target_vocab_size, dropout_rate, d_model):
    """One of the systems, of a width."""
    settings = dict(system.settings)
    if system.model is ka.Transformer:
        settings["d_ff"] = 2 * d_model
    return system.model(
        source_vocab_size,
        target_vocab_size,
        d_model=d_model,
        dropout_rate=dropout_rate,
        share_embeddings=source_vocab_size == target_vocab_size,
        **settings,
    )


def width_for(parameters, make):
    """The width, a multiple of 4, of a model of about so many parameters.

    Their number is a polynomial of degree 2 in the width: three widths tell which.
    """
    widths = [4, 8, 12]
    square, linear, constant = np.polyfit(
        widths, [make(width).count_params() for width in widths], 2
    )
    constant -= parameters
    width = (-linear + np.sqrt(linear**2 - 4 * square * constant)) / (2 * square)
    return max(4 * round(width / 4), 4)


def measured(task, answers, rows):
    """The figures of some of the test's rows."""
    rows = list(rows)
    sources = [task.test[0][row] for row in rows]
    return task.measure(sources, [answers[row] for row in rows], rows)


def by_length(task, answers):
    """The figures of each group of lengths, and how many sources are in it."""
    lengths = np.array([task.length(source) for source in task.test[0]])
    groups = np.digitize(lengths, task.edges)
    found = {}
    for group in np.unique(groups):
        [rows] = np.nonzero(groups == group)
        found[group_name(task.edges, group)] = {
            "count": len(rows),
            "mean_length": round(float(lengths[rows].mean()), 1),
            **measured(task, answers, rows),
        }
    return found


def group_name(edges, group):
    """1 -> "1-4", and the last one "13+"."""
    if group == len(edges):
        return f"{edges[-1]}+"
    return f"{edges[group - 1]}-{edges[group] - 1}"


def ask(export, texts):
    """Ask the SavedModel alone, in a fresh process."""
    command = [sys.executable, "-c", ASK, str(export), *texts]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"The export gave no answer:\n{process.stderr}")
    print(process.stdout, end="")


def summarize(task, folder):
    """Write table, figures and plot of all systems that were measured in a folder."""
    paths = [folder / system / "result.json" for system in SYSTEMS]
    results = [json.loads(path.read_text()) for path in paths if path.exists()]
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    text = "\n\n".join([task.note, table(results), length_table(results, task.unit)])
    (folder / "table.md").write_text(text + "\n")
    plot(results, task.unit, folder / "by_length.png")
    print(f"\n{text}\n\n{folder / 'by_length.png'}: quality by length")


def table(results):
    """A row for each system, as Markdown."""
    figures = list(results[0]["quality"])
    rows = [
        ["", "parameters", "CPU seconds", "tokens per CPU second", *figures],
        ["---"] * (4 + len(figures)),
    ]
    for one in results:
        rows.append(
            [
                one["title"],
                f"{one['parameters']:,}",
                f"{one['cpu_seconds']:,.0f}",
                f"{one['tokens_per_cpu_second']:,}",
                *(shown(name, one["quality"][name]) for name in figures),
            ]
        )
    return markdown(rows)


def length_table(results, unit):
    """A row for each group of lengths, as Markdown: the first figure of each system."""
    figure = next(iter(results[0]["quality"]))
    rows = [
        [f"{figure}, by {unit}", "sources", *(one["title"] for one in results)],
        ["---"] * (2 + len(results)),
    ]
    for group, first in results[0]["by_length"].items():
        found = [one["by_length"][group][figure] for one in results]
        rows.append([group, f"{first['count']}", *(shown(figure, x) for x in found)])
    return markdown(rows)


def shown(name, figure):
    """A rate as per cent; BLEU and chrF as they are."""
    return f"{figure:.1%}" if name.endswith("rate") else f"{figure:.1f}"


def markdown(rows):
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def plot(results, unit, path):
    """Draw the first figure of each system over the length of the source."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure = next(iter(results[0]["quality"]))
    picture, axes = plt.subplots(figsize=(6.4, 4))
    for one, marker in zip(results, "osD^"):
        groups = one["by_length"].values()
        axes.plot(
            [group["mean_length"] for group in groups],
            [group[figure] for group in groups],
            marker=marker,
            label=one["title"],
        )
    axes.set(xlabel=f"{unit} of the source", ylabel=figure)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    picture.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(picture)


if __name__ == "__main__":
    main()
