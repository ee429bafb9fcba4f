"""What is printed and written: tables, and what the machine was and did."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import sys

import psutil
from contest import busy_seconds, undisturbed

PACKAGES = (
    "keras-attention-transformer",
    "tensorflow",
    "tensorflow-text",
    "keras",
    "keras-hub",
    "jax",
    "torch",
    "transformers",
    "ctranslate2",
    "numpy",
    "sentencepiece",
    "sacrebleu",
)


class Machine:
    """The machine, and how much else runs on it from now on."""

    def __init__(self, threads):
        self.threads = threads
        self.started = datetime.datetime.now()
        self.others_before = others_seconds()

    def describe(self):
        """All of it, for the record; when the competitors have ended."""
        cpu = read_cpu()
        minutes = (datetime.datetime.now() - self.started).total_seconds() / 60
        others = (others_seconds() - self.others_before) / (60 * minutes)
        return {
            "processor": cpu.get("model name", platform.processor()),
            "flags": cpu.get("flags", "").split(),
            "cores": os.cpu_count(),
            "cores_used": self.threads,
            "cores_taken_by_others": round(max(others, 0.0), 2),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "system": platform.platform(),
            "python": platform.python_version(),
            "started": self.started.isoformat(timespec="seconds"),
            "minutes": round(minutes, 1),
        }


def others_seconds():
    """Processor time that all but this process and its ended children have taken."""
    return busy_seconds() - sum(os.times()[:4])


def read_cpu():
    """What Linux says of the first core."""
    path = pathlib.Path("/proc/cpuinfo")
    first = path.read_text().split("\n\n")[0] if path.exists() else ""
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def versions():
    """{package: version} of what is installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write_record(path, machine, **measured):
    """Write all that was measured to a JSON file, and how."""
    record = {
        "command": f"python benchmarks/{pathlib.Path(sys.argv[0]).name} "
        f"{' '.join(sys.argv[1:])}",
        "machine": machine,
        "versions": versions(),
        **measured,
    }
    path.write_text(json.dumps(record, indent=1) + "\n")


def time_rows(taken, tokens, calls):
    """Sum up the repetitions of one cell: the undisturbed ones, if there are any.

    Args:
        taken: {competitor: [answer of each repetition]}.
        tokens: {competitor: tokens that one repetition finds}.
        calls: Batches of one repetition.

    Returns:
        A dict for each competitor, the quickest first; times are of one batch.
    """
    rows = []
    for competitor, answers in taken.items():
        quiet = list(filter(undisturbed, answers))
        seconds = [answer["seconds"] / calls for answer in quiet or answers]
        rows.append(
            {
                "competitor": competitor.title,
                "ours": competitor.ours,
                "median": statistics.median(seconds),
                "minimum": min(seconds),
                "tokens_per_second": tokens[competitor]
                / calls
                / statistics.median(seconds),
                "quiet": len(quiet),
                "repetitions": [
                    {name: value for name, value in a.items() if name != "answers"}
                    for a in answers
                ],
            }
        )
    best = min((row["median"] for row in rows if row["ours"]), default=None)
    for row in rows:
        row["ratio_to_ours"] = row["median"] / best if best else None
    return sorted(rows, key=lambda row: row["median"])


def print_times(title, rows):
    """Print what `time_rows` gave."""
    print(f"\n{title:<38}   median  minimum   tokens/s   to ours   quiet")
    for row in rows:
        print(
            f"{row['competitor']:<38}"
            f"{1e3 * row['median']:>6,.0f} ms"
            f"{1e3 * row['minimum']:>6,.0f} ms"
            f"{row['tokens_per_second']:>11,.0f}"
            f"{format_ratio(row['ratio_to_ours']):>10}"
            f"{row['quiet']:>5} of {len(row['repetitions'])}",
            flush=True,
        )


def print_learning(unit, rows):
    """Print what `time_rows` gave of competitors that learn, and what they take."""
    print(f"\n{unit:<38}   median   to best peer   to ours   tokens/s   quiet")
    for row in rows:
        print(
            f"{row['competitor']:<38}"
            f"{1e3 * row['median']:>6,.0f} ms"
            f"{format_ratio(row['ratio_to_best_peer']):>15}"
            f"{format_ratio(row['ratio_to_ours']):>10}"
            f"{row['tokens_per_second']:>11,.0f}"
            f"{row['quiet']:>5} of {len(row['repetitions'])}",
            flush=True,
        )
    print(f"\n{'':<38} parameters   steps    loss   first call        peak")
    for row in rows:
        built = row["first_call"]
        print(
            f"{row['competitor']:<38}"
            f"{built['parameters']:>11,}"
            f"{built['steps']:>8}"
            f"{row['repetitions'][-1]['loss']:>8.2f}"
            f"{built['seconds']:>11.1f} s"
            f"{row['peak_mib']:>8,.0f} MiB",
            flush=True,
        )


def format_ratio(ratio):
    return "-" if ratio is None else f"{ratio:.2f}"


def print_answers(title, rows, signature):
    """Print how good the answers are, and how many are those of the reference."""
    print(f"\n{title:<38}     BLEU   same as ours   seconds   tokens/s")
    for row in rows:
        same = row["same_as_reference"]
        print(
            f"{row['competitor']:<38}"
            f"{row['bleu']:>9.2f}"
            f"{'-' if same is None else f'{same:.1%}':>15}"
            f"{row['seconds']:>10.1f}"
            f"{row['tokens_per_second']:>11,.0f}",
            flush=True,
        )
    print(signature)


def print_machine(machine):
    """Print what matters most of it."""
    print(
        f"\n{machine['processor']}, {machine['cores_used']} of {machine['cores']} "
        f"cores, {machine['minutes']:.0f} minutes; on average others took "
        f"{machine['cores_taken_by_others']} cores"
    )


def print_skipped(skipped):
    """Print who took no part, and why."""
    for competitor, reason in skipped.items():
        print(f"\nwithout {competitor.title}: {reason}")
