"""Measure how fast a Transformer learns on a GPU, beside torch on the same card.

    python benchmarks/train_gpu.py --quick
    python benchmarks/train_gpu.py --json train_gpu.json

The paper's base and big models (Vaswani et al., 2017, table 3), with their vocabulary of
37,000, on random pairs of sentences: 24,576 tokens a side in a batch, about the paper's
25,000. Ours learn on JAX, by `fit`, and TensorFlow need not be installed; torch in a
loop of its own. "base-256" and "base-1024" are the base model on longer texts.

All have the same parameters, the same loss from the same weights in float32, and the
same optimizer; see `train.py`, whose ways of asking these are. "Peak" is memory of the
GPU. A share of the chip is what a step must multiply and add, by its shapes, against
what the largest products of bfloat16 reach on it, measured before.
"""

import argparse
import functools
import json
import pathlib
import subprocess
import sys

from contest import Contest
from options import add_contest_options, choose
from train import SMALL, Shape, measure, run_all, shape
from training_case import TrainingCase
from training_peers import GPU_PEERS

HERE = pathlib.Path(__file__).parent
BATCH_TOKENS = 24_576
STEPS = 20

BASE = {"num_layers": 6, "d_model": 512, "d_ff": 2048, "num_heads": 8}
BIG = {"num_layers": 6, "d_model": 1024, "d_ff": 4096, "num_heads": 16}


def of_paper(sizes):
    return shape(
        **sizes,
        vocab_size=37_000,
        batch_tokens=BATCH_TOKENS,
        steps=STEPS,
        padded_batches=0,
    )


# The model, and the tokens of a sentence.
WORKLOADS = {
    "base": (of_paper(BASE), 32),
    "big": (of_paper(BIG), 32),
    "base-256": (of_paper(BASE), 256),
    "base-1024": (of_paper(BASE), 1024),
}


def main():
    options = parse_options()
    chip = ask_chip()
    print(f"{chip['name']}: {chip['tflops']:.0f} TFLOP/s in products of bfloat16")
    run_all(options, functools.partial(run, chip=chip), chip=chip)


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
    add_contest_options(parser, GPU_PEERS, rounds=5, budget=900)
    parser.set_defaults(patience=0.0)
    options = parser.parse_args()
    options.competitors = list(choose(options, GPU_PEERS, parser))
    return options


def ask_chip():
    """The name of the GPU, and what it multiplies at best."""
    command = [sys.executable, HERE / "matrix_product.py"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"No GPU could be used:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def run(name, folder, options, chip):
    """Take the times of one workload, in fresh processes."""
    work, length = (SMALL, 32) if options.quick else WORKLOADS[name]
    contest = Contest(
        options.competitors,
        HERE / "training_worker.py",
        options.threads,
        options.patience,
        folder / "logs",
        backend="jax",
    )
    print(f"\n== {name}", flush=True)
    with contest:
        case = prepare(contest, folder, work, length)
        record = measure(contest, case, "one step", options)
    print_shares(record["rows"], operations(work, length), chip)
    return record


def prepare(contest, folder, work: Shape, length):
    """Let a process of its own write the case."""
    request = work._asdict()
    del request["padded_batches"]
    contest.prepare(
        HERE / "training_data.py",
        folder.name,
        kind="fixed",
        folder=str(folder),
        length=length,
        **request,
    )
    return TrainingCase(folder)


def operations(work, length):
    """Multiplications and additions of one step, forward and backward.

    Every product counts in full, those of keys that the causal mask hides, too; the
    backward pass has two for each one of the forward pass.
    """
    sizes = work.model
    layers, d_model, d_ff = sizes["num_layers"], sizes["d_model"], sizes["d_ff"]
    projections = 4 * d_model**2  # of queries, keys, values and the result
    looks = 2 * length * d_model  # the scores, and the sum of values
    feed_forward = 2 * d_model * d_ff
    encoder = layers * (projections + looks + feed_forward)
    decoder = layers * (2 * projections + 2 * looks + feed_forward)
    a_token = encoder + decoder + d_model * work.vocab_size
    tokens = work.batch_tokens // length * length
    return 3 * 2 * tokens * a_token


def print_shares(rows, step_operations, chip):
    """Print, and add to the rows, what share of the chip's products each reaches."""
    print(f"\n{'':<38}    TFLOP/s   of the chip")
    for row in rows:
        row["tflops"] = step_operations / row["median"] / 1e12
        row["share_of_chip"] = row["tflops"] / chip["tflops"]
        print(
            f"{row['competitor']:<38}{row['tflops']:>11.0f}{row['share_of_chip']:>14.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
