"""Ask one SavedModel from many threads for a while: are all answers right, at any time?

    python benchmarks/load.py
    python benchmarks/load.py --saved-model saved_models/en-de/1 --texts en.txt

Each thread asks again and again for a batch of 1 to 8 texts of a pool, drawn at random,
and every answer must be the one that a single thread got before, for the text alone.
Prints requests a second, how long they took, and the memory of the process. That grows
while each thread meets its first large requests, a few hundred in all, and is flat from
then on: ask for some minutes to see it. Exit status 1 on a wrong answer.

Without `--saved-model` one of random weights is made, as for `growth.py`.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import random
import statistics
import sys
import tempfile
import threading
import time

from growth import (
    PRESETS,
    in_fresh_process,
    load,
    mixed_sentences,
    write_mixed,
)
from memory import resident_mib

MOST_TEXTS = 8  # of a request


def main():
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        export = options.saved_model or random_export(pathlib.Path(folder), options)
        pool = read_pool(options)
        translate = load(export)
    alone = {text: translate([text])[0] for text in pool}
    record = measure(translate, alone, options)
    print_record(record, options)
    if options.json:
        command = " ".join(["python benchmarks/load.py", *sys.argv[1:]])
        record = {"command": command, **record}
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    if record["wrong"]:
        sys.exit(f"{record['wrong']} answers were wrong, such as {record['example']}")


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--saved-model",
        type=pathlib.Path,
        help="folder that Translator.export wrote, with saved_model.pb in it; default: "
        "a model of random weights",
    )
    add(
        "--texts",
        type=pathlib.Path,
        help="file with the texts to draw from, one a line, UTF-8; default: sentences "
        "of 1 to 60 made-up words, which suit the model of random weights",
    )
    add(
        "--pool",
        type=int,
        default=200,
        help="texts to draw from, the first ones of the file; default: 200",
    )
    add("--threads", type=int, default=16, help="threads that ask; default: 16")
    add("--seconds", type=float, default=60, help="how long they ask; default: 60")
    add(
        "--preset",
        choices=list(PRESETS),
        default="tiny",
        help="size of the model of random weights; default: tiny",
    )
    add("--json", type=pathlib.Path, help="file to write the figures to")
    parser.set_defaults(format="float32", batch_size=64)
    return parser.parse_args()


def random_export(folder, options):
    """A SavedModel of random weights, written in a process of its own."""
    in_fresh_process(write_mixed, folder / "saved", folder / "export", options)
    return folder / "export"


def read_pool(options):
    """The texts that requests are drawn from."""
    if options.texts is None:
        return mixed_sentences(options.pool)
    return options.texts.read_text(encoding="utf-8").splitlines()[: options.pool]


def measure(translate, alone, options):
    """Let all threads ask until the time is up.

    Args:
        translate: A list of str -> a list of bytes.
        alone: {text: the right answer}.
        options: `threads` and `seconds`.

    Returns:
        A dict for JSON.
    """
    results = collections.deque()  # of each request, as `ask` says
    stop = threading.Event()
    memory = {"start": resident_mib()}
    started = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(options.threads) as threads:
        futures = [
            threads.submit(ask, translate, alone, seed, stop, results.append)
            for seed in range(options.threads)
        ]
        concurrent.futures.wait(
            futures, options.seconds / 3, concurrent.futures.FIRST_EXCEPTION
        )
        memory["third"] = resident_mib()
        concurrent.futures.wait(
            futures, options.seconds * 2 / 3, concurrent.futures.FIRST_EXCEPTION
        )
        memory["end"] = resident_mib()
        stop.set()
    for future in futures:
        future.result()
    return sum_up(results, time.perf_counter() - started, memory)


def ask(translate, alone, seed, stop, report):
    """Ask for one random batch after the other, and report on each.

    A report is (seconds, texts asked, those that were answered wrongly).
    """
    generator, pool = random.Random(seed), list(alone)
    while not stop.is_set():
        texts = generator.choices(pool, k=generator.randint(1, MOST_TEXTS))
        started = time.perf_counter()
        answers = translate(texts)
        seconds = time.perf_counter() - started
        wrong = [
            (text, answer)
            for text, answer in zip(texts, answers, strict=True)
            if answer != alone[text]
        ]
        report((seconds, len(texts), wrong))


def sum_up(results, seconds, memory):
    """What all requests together tell."""
    latencies, asked, wrong = zip(*results)
    wrong = [found for several in wrong for found in several]
    return {
        "requests": len(results),
        "texts": sum(asked),
        "wrong": len(wrong),
        "example": repr(wrong[0]) if wrong else None,
        "requests_per_second": len(results) / seconds,
        "texts_per_second": sum(asked) / seconds,
        "median_seconds": statistics.median(latencies),
        "p99_seconds": statistics.quantiles(latencies, n=100)[98],
        "resident_mib": memory,
    }


def print_record(record, options):
    memory = record["resident_mib"]
    print(
        f"{options.threads} threads, {options.seconds:g} seconds, 1 to {MOST_TEXTS} "
        f"texts a request\n"
        f"requests           {record['requests']:>10,} with {record['texts']:,} texts, "
        f"{record['wrong']} of them answered wrongly\n"
        f"a second           {record['requests_per_second']:>10,.1f} requests, "
        f"{record['texts_per_second']:,.1f} texts\n"
        f"median             {1e3 * record['median_seconds']:>10,.0f} ms\n"
        f"99th percentile    {1e3 * record['p99_seconds']:>10,.0f} ms\n"
        f"resident memory    {memory['start']:>10,.0f} MiB at the start, "
        f"{memory['third']:,.0f} after a third, {memory['end']:,.0f} at the end: "
        f"{memory['end'] - memory['third']:+,.1f} MiB in the last two thirds",
        flush=True,
    )


if __name__ == "__main__":
    main()
