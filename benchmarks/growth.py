"""Measure how time and memory grow with the work that a SavedModel is given.

    python benchmarks/growth.py
    python benchmarks/growth.py --preset base --json growth.json --plot growth.png

Two questions. "growth": what do larger batches, longer sources and wider beams cost?
One of them varies at a time, around 16 sentences of 32 tokens and beam 4, and every
translation has exactly 32 tokens. "waiting": what do thousands of sentences of mixed
lengths cost, when like lengths are translated together, against batches in the order
in which they came? Here translations end by themselves, between half the length of
their source and 10 tokens more than that, and all ways must give equal answers in the
order of the texts.

The weights are random, and a token is a made-up word. Each measurement has a process
of its own, and its memory has three parts: what is "loaded" before any call, what the
"first call" of one short text adds at most, which is TensorFlow making its graphs
ready, and what the "work" adds at most to what is held after that.
"""

import argparse
import concurrent.futures
import importlib.metadata
import json
import multiprocessing
import os
import pathlib
import platform
import random
import statistics
import sys
import tempfile
import time

from memory import measure_memory

PRESETS = {
    "tiny": {"num_layers": 2, "d_model": 64, "num_heads": 4, "d_ff": 128},
    "base": {"num_layers": 6, "d_model": 512, "num_heads": 8, "d_ff": 2048},
}
VOCAB_SIZE = 8000
NEW_TOKENS = 32
MIDDLE = {"batch": 16, "source": 32, "beam": 4}
VARIED = {
    "batch": (1, 4, 16, 64, 256),
    "source": (8, 32, 128, 512),
    "beam": (1, 2, 4, 8, 16),
}
UNITS = {"batch": "sentences", "source": "source tokens", "beam": "hypotheses"}

# "waiting": how long sources are, in words, and how long translations may be.
LONGEST = 60
LENGTHS = {"min_length": (0.5, 0), "max_length": (1.0, 10)}
# Length of END's embedding, in those of other tokens, by which a search finds it now
# and then: with 1 it is hardly ever the best of thousands, with 5 nearly always.
END_SCALE = 3.0

PATIENCE = 30  # seconds after which no further repetition begins


def main():
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        folder = options.keep or pathlib.Path(folder)
        record = {
            "command": " ".join(["python benchmarks/growth.py", *sys.argv[1:]]),
            "machine": machine(),
            "preset": options.preset,
            "format": options.format,
        }
        for question in options.questions:
            record[question] = QUESTIONS[question](folder, options)
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    if options.plot:
        plot(record["growth"], options.plot)
    different = sum(way["different"] for way in record.get("waiting", ()))
    if different and options.format == "float32":
        sys.exit("Not all ways gave the same answers; see the table.")


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--questions",
        nargs="+",
        choices=list(QUESTIONS),
        default=list(QUESTIONS),
        help="what to measure; default: both",
    )
    add(
        "--preset",
        choices=list(PRESETS),
        default="tiny",
        help="size of the model: 2 layers of width 64, or the paper's base model with "
        "6 layers of width 512, which takes many minutes; default: tiny",
    )
    add(
        "--format",
        choices=("float32", "bfloat16", "int8"),
        default="float32",
        help="numeric format of the SavedModel; default: float32. In the others "
        "rounding decides between answers that are nearly as good.",
    )
    add(
        "--vary",
        nargs="+",
        choices=list(VARIED),
        default=list(VARIED),
        help="what varies in the question of growth; default: all three",
    )
    add(
        "--repetitions",
        type=int,
        default=5,
        help="timed calls of each configuration, after one that is not timed; fewer "
        f"where they take more than {PATIENCE} seconds; default: 5",
    )
    add(
        "--batch-size",
        type=int,
        default=64,
        help="sentences translated at once, of those in a call; default: 64, as in "
        "Translator.export",
    )
    add(
        "--sentences",
        type=int,
        default=3000,
        help="sentences in the question of waiting; default: 3000",
    )
    add("--json", type=pathlib.Path, help="file to write all measurements to")
    add(
        "--plot",
        type=pathlib.Path,
        help="file to draw time and memory to, such as growth.png; needs matplotlib, "
        "and the question of growth",
    )
    add(
        "--keep",
        type=pathlib.Path,
        help="folder to write the SavedModels to, and to take them from if they are "
        "there; default: a temporary one",
    )
    options = parser.parse_args()
    if options.plot and "growth" not in options.questions:
        parser.error("--plot draws the question of growth. Add it to --questions.")
    return options


def machine():
    """What the measurements were made on."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "tensorflow": importlib.metadata.version("tensorflow"),
    }


def processor():
    """What Linux calls the processor, or else its kind."""
    path = pathlib.Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def in_fresh_process(function, *arguments):
    """What a function of this file returns, called in a process of its own."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Not forked, and this process is small: a child's peak starts at its parent's.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def measure_growth(folder, options):
    """Print and return the table of each thing that varies: {what: rows}."""
    tables = {}
    for varied in options.vary:
        print_growth_head(varied, options)
        tables[varied] = []
        for value in VARIED[varied]:
            work = {**MIDDLE, varied: value}
            export = exported(folder, options, work["beam"])
            row = in_fresh_process(measure_call, export, work, options.repetitions)
            tables[varied].append(row)
            print_growth_row(row[varied], row)
    return tables


def exported(folder, options, beam_size):
    """A SavedModel of this beam size that finds exactly `NEW_TOKENS` tokens."""
    export = folder / f"{name(options)}-beam-{beam_size}"
    if not export.exists():
        search = {"beam_size": beam_size, "new_tokens": NEW_TOKENS}
        in_fresh_process(write_export, export, options, search)
    return export


def name(options):
    """The part of a folder's name that says what its model is."""
    return f"{options.preset}-{options.format}-batch-{options.batch_size}"


def random_translator(preset):
    """A `Translator` of a model that has learned nothing and never ends."""
    from prepare import random_model

    translator, _ = random_model(PRESETS[preset], VOCAB_SIZE, 2, [])
    return translator


def write_export(folder, options, search):
    """Write a SavedModel for sources of any length."""
    from case import Search
    from peers.translator import with_search

    translator = random_translator(options.preset)
    translator = with_search(translator, Search(length_penalty=0.6, **search))
    translator.export(folder, dtype=options.format, batch_size=options.batch_size)


def load(folder):
    """The SavedModel's translation: a list of str -> a list of bytes."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 (its operations)

    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return lambda texts: served(text=tf.constant(texts))["text"].numpy().tolist()


def measure_call(export, work, repetitions):
    """Translate one batch again and again; seconds of a call, and MiB.

    Args:
        export: Folder of a SavedModel.
        work: {"batch": sentences, "source": tokens of each, END included, "beam": K}.
        repetitions: Calls that are timed, at most.

    Returns:
        `work` and what was measured.
    """
    translate = load(export)
    generator = random.Random(0)
    texts = [sentence(generator, work["source"] - 1) for _ in range(work["batch"])]
    loaded, first_call = measure_memory(lambda: translate(["w1"]))
    seconds = []

    def call():
        started = time.perf_counter()
        answers = translate(texts)
        seconds.append(time.perf_counter() - started)
        assert all(len(answer.split()) == NEW_TOKENS - 1 for answer in answers)

    def repeat():
        call()
        seconds.clear()
        while len(seconds) < repetitions and sum(seconds) < PATIENCE:
            call()

    _, more = measure_memory(repeat)
    return {
        **work,
        "seconds": seconds,
        "median": statistics.median(seconds),
        "loaded_mib": loaded,
        "first_call_mib": first_call,
        "work_mib": more,
    }


def sentence(generator, words):
    """A sentence of so many made-up words, each of them one token."""
    known = VOCAB_SIZE - 4
    return " ".join(f"w{generator.randrange(known)}" for _ in range(words))


def print_growth_head(varied, options):
    fixed = ", ".join(f"{v} {UNITS[k]}" for k, v in MIDDLE.items() if k != varied)
    print(
        f"\n{options.preset}, {options.format}; {fixed}; {NEW_TOKENS} new tokens\n"
        f"{UNITS[varied]:>14}     median  a sentence"
        "   MiB: loaded  first call      work",
        flush=True,
    )


def print_growth_row(value, row):
    milliseconds = 1e3 * row["median"]
    print(
        f"{value:>14}{milliseconds:>8,.0f} ms{milliseconds / row['batch']:>9,.1f} ms"
        f"{row['loaded_mib']:>14,.0f}{row['first_call_mib']:>12,.0f}"
        f"{row['work_mib']:>10,.1f}",
        flush=True,
    )


def measure_waiting(folder, options):
    """Print and return what each way to translate mixed sentences costs."""
    saved, export = (folder / f"{name(options)}-{kind}" for kind in ("saved", "mixed"))
    if not export.exists():
        in_fresh_process(write_mixed, saved, export, options)
    print_waiting_head(options)
    rows, expected = [], None
    for way, measure, place, size in (
        ("Translator, one call", call_translator, saved, options.sentences),
        ("Translator, in the given order", call_translator, saved, options.batch_size),
        ("SavedModel, one request", call_export, export, options.sentences),
        ("SavedModel, in the given order", call_export, export, options.batch_size),
    ):
        row = in_fresh_process(measure, place, options, size)
        answers = row.pop("answers")
        expected = answers if expected is None else expected
        different = sum(a != b for a, b in zip(answers, expected, strict=True))
        rows.append({"way": way, **row, "different": different})
        print_waiting_row(rows[-1])
    print(describe_lengths(expected))
    return rows


def print_waiting_head(options):
    print(
        f"\n{options.preset}, {options.format}; {options.sentences} sentences of 1 to "
        f"{LONGEST} words, {options.batch_size} at once, beam {MIDDLE['beam']}\n"
        f"{'':<32}   seconds  a sentence   MiB: loaded  first call      work"
        "  different",
        flush=True,
    )


def print_waiting_row(row):
    print(
        f"{row['way']:<32}{row['seconds']:>10.1f}"
        f"{1e3 * row['seconds'] / row['sentences']:>9.1f} ms"
        f"{row['loaded_mib']:>14,.0f}{row['first_call_mib']:>12,.0f}"
        f"{row['work_mib']:>10,.0f}{row['different']:>11}",
        flush=True,
    )


def describe_lengths(answers):
    """One line about how long the answers are."""
    lengths = sorted(len(answer.split()) for answer in answers)
    tenths = [lengths[len(lengths) * tenth // 10] for tenth in (1, 5, 9)]
    return (
        f"words of an answer: {tenths[0]}, {tenths[1]} and {tenths[2]} at a tenth, "
        f"half and nine tenths; {lengths[-1]} at most"
    )


def write_mixed(saved, export, options):
    """Write a translator whose translations end by themselves, saved and exported."""
    import keras_attention as ka

    translator = random_translator(options.preset)
    end_anywhere(translator.model)
    settings = {**translator.get_config(), "beam_size": MIDDLE["beam"], **LENGTHS}
    tokenizer = translator.source_tokenizer
    translator = ka.Translator(translator.model, tokenizer, tokenizer, **settings)
    translator.save(saved)
    translator.export(export, dtype=options.format, batch_size=options.batch_size)


def end_anywhere(model):
    """Give END a longer embedding, so that sentences end sooner or later."""
    import keras
    import numpy as np
    from case import END

    [embeddings] = (w for w in model.weights if w.path == "embedding/embeddings")
    values = keras.ops.convert_to_numpy(embeddings).copy()
    direction = np.random.default_rng(0).normal(size=values.shape[1])
    values[END] = END_SCALE * values.std() * direction
    embeddings.assign(values)


def mixed_sentences(count):
    """Sentences of 1 to `LONGEST` words."""
    generator = random.Random(0)
    return [sentence(generator, generator.randint(1, LONGEST)) for _ in range(count)]


def call_translator(saved, options, size):
    """Call a Translator with so many sentences at a time."""
    import keras_attention as ka

    translator = ka.Translator.load(saved)
    return measure_all(
        lambda texts: translator(texts, batch_size=options.batch_size), options, size
    )


def call_export(export, options, size):
    """Call a SavedModel with so many sentences at a time."""
    translate = load(export)
    return measure_all(
        lambda texts: [answer.decode() for answer in translate(texts)], options, size
    )


def measure_all(translate, options, size):
    """Translate all mixed sentences, so many at a time."""
    texts = mixed_sentences(options.sentences)
    loaded, first_call = measure_memory(lambda: translate(["w1"]))
    answers = []

    def translate_all():
        for first in range(0, len(texts), size):
            answers.extend(translate(texts[first : first + size]))

    started = time.perf_counter()
    _, more = measure_memory(translate_all)
    return {
        "seconds": time.perf_counter() - started,
        "sentences": len(texts),
        "loaded_mib": loaded,
        "first_call_mib": first_call,
        "work_mib": more,
        "answers": answers,
    }


def plot(tables, path):
    """Draw time and memory against all that varied, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        2, len(tables), figsize=(4 * len(tables), 6), sharey="row", squeeze=False
    )
    for column, (varied, rows) in zip(axes.T, tables.items()):
        values = [row[varied] for row in rows]
        column[0].plot(values, [1e3 * row["median"] for row in rows], "o-")
        column[1].plot(values, [row["work_mib"] for row in rows], "o-")
        column[1].set_xlabel(UNITS[varied])
        for axis in column:
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
            axis.set_xticks(values, map(str, values))
            axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("milliseconds of a call")
    axes[1, 0].set_ylabel("MiB, at most, for the work")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


QUESTIONS = {"growth": measure_growth, "waiting": measure_waiting}

if __name__ == "__main__":
    main()
