"""Measure how fast a Transformer learns, side by side with others.

    python benchmarks/train.py --quick
    python benchmarks/train.py --json train.json

Four workloads: the paper's base model and the tiny one of Multi30k ("base", "tiny"), on
random sentences of 32 tokens; and the same ("base-real", "tiny-real") on real
sentences of Multi30k, where a repetition is to learn the same sentence pairs once, in
the batches that each library makes of them. Batches have 2,048 tokens a side (base) or
4,096 (tiny), padding included.

All have the same sizes, learn by the same loss and optimizer, and drop out a tenth of
the embeddings and of each sub-layer's output; what still differs is printed. Torch must
compute the same loss as we do from the same weights, in float32. "First call" is to
build the model and take the first step, in a fresh process that has imported the
library; "peak" is the most memory of that process; tokens are those of source and
target, padding apart.

Each competitor lives in a process of its own. They are asked in turn for one timed
repetition each, round after round, so that whatever else the machine does hits all
alike; who is not asked is stopped, so that no idle thread takes time from the others.
"""

import argparse
import math
import pathlib
import signal
import sys
import tempfile
import textwrap
from typing import NamedTuple

from contest import Contest
from options import add_contest_options, choose
from report import (
    Machine,
    print_learning,
    print_machine,
    print_skipped,
    time_rows,
    write_record,
)
from training_case import TrainingCase
from training_peers import CPU_PEERS

HERE = pathlib.Path(__file__).parent
CORPUS = "multi30k/tok/train.lc.norm.tok"
LENGTH = 32  # tokens of a random sentence

# Where weights are the same, losses in float32 differ by rounding alone.
TOLERANCE = 1e-4


class Shape(NamedTuple):
    """The sizes of a model, and how much work a repetition is.

    Attributes:
        model: Sizes, by the names of `keras_attention.Transformer`.
        vocab_size: Tokens that source and target share.
        batch_tokens: Most tokens of a side in a batch, padding included.
        steps: Steps of one repetition, on random sentences.
        padded_batches: Batches that the real sentences of one repetition fill, where
            each is padded to the longest of the corpus.
    """

    model: dict
    vocab_size: int
    batch_tokens: int
    steps: int
    padded_batches: int


def shape(num_layers, d_model, d_ff, num_heads, **work):
    return Shape(
        {
            "num_layers": num_layers,
            "d_model": d_model,
            "d_ff": d_ff,
            "num_heads": num_heads,
            "dropout_rate": 0.1,
        },
        **work,
    )


SHAPES = {
    "base": shape(
        6, 512, 2048, 8, vocab_size=8000, batch_tokens=2048, steps=6, padded_batches=12
    ),
    "tiny": shape(
        4, 128, 256, 4, vocab_size=10000, batch_tokens=4096, steps=24, padded_batches=40
    ),
}
SMALL = shape(
    2, 64, 128, 4, vocab_size=1000, batch_tokens=512, steps=2, padded_batches=4
)
WORKLOADS = ("base", "tiny", "base-real", "tiny-real")


def main():
    run_all(parse_options(), run)


def run_all(options, run, **more_facts):
    """Run the workloads that are asked for; print and write what was measured.

    Args:
        options: Those of the command line.
        run: `(name, folder, options)`, one of them -> its record.
        **more_facts: What is to be known of the machine besides.
    """
    # So that the processes of the competitors end, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    machine = Machine(options.threads)
    print_differences(options.competitors)
    with tempfile.TemporaryDirectory(prefix="train-") as folder:
        folder = (options.keep or pathlib.Path(folder)).resolve()
        workloads = {
            name: run(name, folder / name, options) for name in options.workloads
        }
    facts = {**machine.describe(), **more_facts}
    print_machine(facts)
    if options.json:
        write_record(options.json, facts, workloads=workloads)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--workloads",
        nargs="+",
        choices=WORKLOADS,
        default=list(WORKLOADS),
        help="which to run; default: all four",
    )
    add_contest_options(parser, CPU_PEERS, rounds=5, budget=900)
    options = parser.parse_args()
    options.shapes = SHAPES
    if options.quick:
        options.shapes = dict.fromkeys(SHAPES, SMALL)
        options.rounds = min(options.rounds, 2)
    options.competitors = list(choose(options, CPU_PEERS, parser))
    return options


def print_differences(competitors):
    """Print where models, settings and batches are not the same."""
    for about in dict.fromkeys(competitor.about for competitor in competitors):
        text = f"{about.title}: {about.differs}"
        print(textwrap.fill(text, width=88, subsequent_indent="    "))


def run(name, folder, options):
    """Take the times of one workload, in fresh processes."""
    shape_name, _, is_real = name.partition("-")
    corpus = options.data / CORPUS
    if is_real and not pathlib.Path(f"{corpus}.en.gz").is_file():
        reason = f"no {corpus}.en.gz: give --data FOLDER or set KERAS_ATTENTION_DATA"
        print(f"\n== {name}: skipped, {reason}", flush=True)
        return {"skipped": reason}
    contest = Contest(
        options.competitors,
        HERE / "training_worker.py",
        options.threads,
        options.patience,
        folder / "logs",
    )
    print(f"\n== {name}", flush=True)
    with contest:
        work = options.shapes[shape_name]
        case = prepare(contest, folder, work, corpus if is_real else None)
        return measure(contest, case, "one pass" if is_real else "one step", options)


def measure(contest, case, unit, options):
    """Let all learn a case, print how fast they were, and return the record of it."""
    print(describe(case), flush=True)
    built = contest.ask_all(contest.members(), "build", case=str(case.folder))
    rows = time_all(contest, case, built, options)
    # At the end, so that the first call comes in a fresh process.
    differences = contest.check(case.folder, TOLERANCE)
    rows = [row for row in rows if row["competitor"] in titles(contest.members())]
    print_learning(unit, rows)
    print_skipped(contest.skipped)
    return {
        "case": case.config,
        "rows": rows,
        "differences": differences,
        "skipped": {c.title: why for c, why in contest.skipped.items()},
    }


def titles(competitors):
    return {competitor.title for competitor in competitors}


def prepare(contest, folder, work, corpus):
    """Let a process of its own write the case."""
    common = work._asdict()
    steps, padded_batches = common.pop("steps"), common.pop("padded_batches")
    if corpus is None:
        request = {"kind": "fixed", "length": LENGTH, "steps": steps}
    else:
        request = {
            "kind": "real",
            "source": f"{corpus}.en.gz",
            "target": f"{corpus}.de.gz",
            "padded_batches": padded_batches,
        }
    contest.prepare(
        HERE / "training_data.py", folder.name, folder=str(folder), **common, **request
    )
    return TrainingCase(folder)


def describe(case):
    """The sizes, and the work of a repetition, in words."""
    config, sizes = case.config, case.config["model"]
    model = (
        f"{sizes['num_layers']}+{sizes['num_layers']} layers, d_model "
        f"{sizes['d_model']}, d_ff {sizes['d_ff']}, {sizes['num_heads']} heads, "
        f"vocabulary {config['vocab_size']:,}"
    )
    if case.pairs is None:
        length = config["longest"]
        rows = config["batch_tokens"] // length
        return f"{model}; a step is {rows} random pairs of {length}+{length} tokens"
    return (
        f"{model}; a pass is {len(case.pairs[0]):,} pairs with {config['tokens']:,} "
        f"tokens, in batches of {config['batch_tokens']:,} a side; the longest "
        f"sentence of the corpus has {config['longest']}"
    )


def time_all(contest, case, built, options):
    """Time repetitions of those who could be built: one to warm up, then in turn.

    Returns:
        The rows of `time_rows`, each with what its building told, the most memory, and
        the time against that of the quickest peer.
    """
    warm = contest.ask_all(built, "train")
    taken = contest.time_rounds(list(warm), options.rounds, options.budget, "train")
    for competitor in list(taken):
        last_loss = taken[competitor][-1]["loss"]
        if not math.isfinite(last_loss):
            contest.leave(competitor, f"its loss is {last_loss}")
            del taken[competitor]
    tokens = dict.fromkeys(taken, case.config["tokens"])
    rows = time_rows(taken, tokens, case.config["copies"])
    by_title = {competitor.title: competitor for competitor in taken}
    best = min((row["median"] for row in rows if not row["ours"]), default=None)
    for row in rows:
        competitor = by_title[row["competitor"]]
        row["ratio_to_best_peer"] = row["median"] / best if best else None
        row["first_call"] = built[competitor]
        row["warm_up"] = warm[competitor]
        row["peak_mib"] = taken[competitor][-1]["peak_mib"]
    return rows


if __name__ == "__main__":
    main()
