"""Measure how fast sentences are decoded, side by side with others.

    python benchmarks/decode.py --quick
    python benchmarks/decode.py --translator saved_models/translate/translator \\
        --json decode.json

Two workloads. "shapes": the paper's base model with random weights, 32 source tokens,
exactly 32 new tokens. "real": a trained model, saved by `Translator.save`, on real
sentences; there the answers are compared, too.

Each competitor lives in a process of its own. They are asked in turn for one timed
repetition each, round after round, so that whatever else the machine does hits all
alike; who is not asked is stopped, so that no idle thread takes time from the others.
All but KerasHub run the same weights; before any time is taken it is checked, in
float32, that they give the same logits.

Greedy search (beam 1) must give all the same answers, rounding aside. Beam search
differs by design: ours divides log probabilities by ((5 + length) / 6) ** penalty, the
others by length ** penalty; and of the 2K best candidates of a step, ours lets all
that end compete, the others only those among the K best.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import sacrebleu

from case import Case, Search
from contest import Competitor, Contest, undisturbed
from peers import PEERS
from report import (
    Machine,
    print_answers,
    print_machine,
    print_skipped,
    print_times,
    time_rows,
    versions,
)

HERE = pathlib.Path(__file__).parent
DATA = os.environ.get("KERAS_ATTENTION_DATA", "../shared/data")

BASE = {"num_layers": 6, "d_model": 512, "num_heads": 8, "d_ff": 2048}
SMALL = {"num_layers": 2, "d_model": 64, "num_heads": 4, "d_ff": 128}
VOCAB_SIZE = 8000
TOKENS = 32  # of each source, and new ones

# Whose answers the others' are compared with.
REFERENCE = Competitor("translator", "float32")

# Where weights are the same, logits in float32 differ by rounding alone.
TOLERANCE = 1e-3


def main():
    options = parse_options()
    # So that the processes of the competitors end, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    machine = Machine(options.threads)
    with tempfile.TemporaryDirectory(prefix="decode-") as folder:
        folder = (options.keep or pathlib.Path(folder)).resolve()
        contest = Contest(
            options.competitors, options.threads, options.patience, folder / "logs"
        )
        with contest:
            workloads = {
                name: WORKLOADS[name](contest, folder / name, options)
                for name in options.workloads
            }
    print_skipped(contest.skipped)
    facts = machine.describe()
    print_machine(facts)
    if options.json:
        record = {
            "command": " ".join(["python benchmarks/decode.py", *sys.argv[1:]]),
            "machine": facts,
            "versions": versions(),
            "workloads": workloads,
            "skipped": {c.title: why for c, why in contest.skipped.items()},
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--translator",
        type=pathlib.Path,
        help="folder that Translator.save wrote, English to German, for workload real",
    )
    add(
        "--data",
        type=pathlib.Path,
        default=pathlib.Path(DATA),
        help="folder with multi30k/raw/test_2016_flickr.{en,de}.gz in it; default: "
        "$KERAS_ATTENTION_DATA, else ../shared/data",
    )
    add(
        "--workloads",
        nargs="+",
        choices=WORKLOADS,
        default=list(WORKLOADS),
        help="which to run; default: both",
    )
    add(
        "--only",
        nargs="+",
        metavar="PEER[:FORMAT]",
        default=list(PEERS),
        help="who takes part, such as saved_model:int8 or ctranslate2; a peer without "
        f"a format takes part in all of its own; default: {' '.join(PEERS)}",
    )
    add(
        "--beams",
        nargs="+",
        type=int,
        default=[1, 4],
        help="hypotheses kept for each sentence; 1 is greedy search; default: 1 4",
    )
    add(
        "--batches",
        nargs="+",
        type=int,
        default=[1, 32],
        help="sentences translated at once; default: 1 32",
    )
    add(
        "--rounds",
        type=int,
        default=7,
        help="undisturbed timed repetitions of each competitor; up to twice as many are "
        "tried; default: 7",
    )
    add(
        "--budget",
        type=float,
        default=60.0,
        help="seconds of processor time; who has used up more in one cell of the tables "
        "takes no part in its further rounds; default: 60",
    )
    add(
        "--sentences",
        type=int,
        default=1000,
        help="sentences of the test set to compare answers on; default: all 1000",
    )
    add(
        "--timed",
        type=int,
        default=16,
        help="real sentences of one timed repetition, but at least four batches; "
        "default: 16",
    )
    add(
        "--length-penalty",
        type=float,
        default=0.6,
        help="exponent of the length, of beam search; default: 0.6",
    )
    add(
        "--threads",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="cores that each competitor may use; default: all",
    )
    add(
        "--patience",
        type=float,
        default=300.0,
        help="seconds to wait, all in all, for moments when nothing else runs on the "
        "machine, before timed repetitions; default: 300",
    )
    add("--json", type=pathlib.Path, help="file to write all that was measured to")
    add(
        "--keep",
        type=pathlib.Path,
        help="folder to leave models, exports and the processes' logs in; default: "
        "they are removed",
    )
    add(
        "--quick",
        action="store_true",
        help="a smoke run of about a minute: a small model, one format of each peer, "
        "few sentences, two rounds",
    )
    options = parser.parse_args()
    options.sizes = BASE
    if options.quick:
        make_quick(options)
    options.competitors = list(choose(options.only, options.quick, parser))
    return options


def make_quick(options):
    """Cut all down to what shows that everything works."""
    options.sizes = SMALL
    options.beams = options.beams[-1:]
    options.batches = [1, 8]
    options.rounds = min(options.rounds, 2)
    options.sentences = min(options.sentences, 32)
    options.timed = min(options.timed, 4)


def choose(wanted, quick, parser):
    """Names on the command line -> competitors."""
    for name in wanted:
        peer, _, number_format = name.partition(":")
        if peer not in PEERS:
            parser.error(f"--only: got {peer!r}, but there are {', '.join(PEERS)}")
        formats = PEERS[peer].formats[: 1 if quick else None]
        for one in [number_format] if number_format else formats:
            yield Competitor(peer, one)


def run_shapes(contest, folder, options):
    """Random weights, sentences of equal length: the shapes alone count."""
    searches = [
        Search(size, options.length_penalty, new_tokens=TOKENS)
        for size in options.beams
    ]
    case = prepare(
        contest,
        folder,
        searches,
        kind="random_model",
        sizes=options.sizes,
        vocab_size=VOCAB_SIZE,
        source_tokens=TOKENS,
        batch_sizes=options.batches,
    )
    print(f"\n== Equal shapes: {sizes_of(case)}, random weights")
    print(f"{TOKENS} source tokens, {TOKENS} new tokens", flush=True)
    differences = check(contest, case)
    members = contest.members()
    cells = [
        cell
        for search in searches
        for cell in time_search(contest, members, case, search, options)
    ]
    return {"differences": differences, "times": cells}


def run_real(contest, folder, options):
    """A trained model on real sentences: speed, and whether it costs quality."""
    test_set = options.data / "multi30k" / "raw" / "test_2016_flickr"
    reason = missing(options.translator, test_set)
    if reason:
        print(f"\n== Real sentences: skipped, {reason}", flush=True)
        return {"skipped": reason}
    searches = [Search(size, options.length_penalty) for size in options.beams]
    case = prepare(
        contest,
        folder,
        searches,
        kind="trained_model",
        translator=str(options.translator),
        source=f"{test_set}.en.gz",
        target=f"{test_set}.de.gz",
        batch_sizes=options.batches,
        timed_sentences={
            size: max(options.timed, 4 * size) for size in options.batches
        },
        tested=options.sentences,
    )
    print(f"\n== Real sentences: {sizes_of(case)}, trained", flush=True)
    differences = check(contest, case)
    members = contest.members(copies_weights=True)
    cells, answers = [], []
    for search in searches:
        cells += time_search(contest, members, case, search, options)
        answers.append(compare_answers(contest, members, case, search, options))
    return {"differences": differences, "times": cells, "answers": answers}


WORKLOADS = {"shapes": run_shapes, "real": run_real}


def missing(translator, test_set):
    """Why there is nothing real to measure, or None."""
    if translator is None:
        return "no trained model: give --translator FOLDER"
    if not translator.is_dir():
        return f"no folder {translator}"
    if not pathlib.Path(f"{test_set}.en.gz").is_file():
        return f"no {test_set}.en.gz: give --data FOLDER or set KERAS_ATTENTION_DATA"
    return None


def sizes_of(case):
    config = case.config
    decoder_layers = config["num_decoder_layers"] or config["num_layers"]
    return (
        f"{config['num_layers']}+{decoder_layers} layers, "
        f"d_model {config['d_model']}, d_ff {config['d_ff']}, "
        f"{config['num_heads']} heads, vocabulary {config['target_vocab_size']:,}"
    )


def prepare(contest, folder, searches, **request):
    """Let a process of its own write the case, exports included."""
    formats = [c.number_format for c in contest.members() if c.peer == "saved_model"]
    wide = [search for search in searches if search.beam_size > 1]
    request.update(
        folder=str(folder),
        formats=formats,
        searches=[dataclasses.asdict(s) for s in wide or searches],
    )
    log_path = contest.logs / f"prepare-{folder.name}.log"
    with open(log_path, "w") as log:
        done = subprocess.run(
            [sys.executable, HERE / "prepare.py", json.dumps(request)],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"prepare.py failed:\n{log_path.read_text()[-2000:]}")
    return Case(folder)


def check(contest, case):
    """See that the copies compute what our model computes, in float32.

    Returns:
        {peer: largest difference of a logit or log probability}.
    """
    checked = {c.peer: c for c in contest.members() if PEERS[c.peer].is_checked}
    found = contest.ask_all(checked.values(), "check", case=str(case.folder))
    differences = {c.peer: answer["difference"] for c, answer in found.items()}
    for peer, difference in differences.items():
        print(
            f"largest difference to {PEERS[peer].title}: {difference:.1e}", flush=True
        )
    for member in contest.members():
        if not differences.get(member.peer, 0.0) < TOLERANCE:
            contest.leave(member, f"its results are off by {differences[member.peer]}")
    return differences


def build(contest, members, case, search):
    """Let all make ready for a search. Returns those who are."""
    request = {"case": str(case.folder), "search": dataclasses.asdict(search)}
    return list(contest.ask_all(members, "build", **request))


def time_search(contest, members, case, search, options):
    """Take the times of one search, for all sizes of batches."""
    members = build(contest, members, case, search)
    cells = []
    for size in options.batches:
        batches = case.sentences["batches"][str(size)]
        first, taken = time_rounds(contest, members, batches, options)
        tokens = {c: count_tokens(case, search, a["answers"]) for c, a in first.items()}
        rows = time_rows(taken, tokens, len(batches))
        print_times(f"beam {search.beam_size}, batch {size}", rows)
        cells.append({"beam_size": search.beam_size, "batch_size": size, "rows": rows})
    return cells


def time_rounds(contest, members, batches, options):
    """One repetition to warm up, then timed ones, in turn.

    Returns:
        {competitor: answer} of the first, and {competitor: [answer]} of the others.
    """
    first = contest.ask_all(members, "translate", batches=batches)
    taken = {competitor: [] for competitor in first}
    for number in range(2 * options.rounds):
        for competitor in rotate(list(first), number):
            if wants_another(taken[competitor], options):
                contest.wait_for_quiet()
                answer = contest.ask(competitor, "translate", batches=batches)
                taken[competitor] += [answer] if answer else []
    return first, {c: answers for c, answers in taken.items() if answers}


def wants_another(answers, options):
    """Whether there are too few undisturbed repetitions, and seconds left for more."""
    # Not by the clock, which also runs while a process is kept from running.
    quickest = min((answer["processor_seconds"] for answer in answers), default=0.0)
    is_in_budget = quickest * len(answers) < options.budget
    return is_in_budget and len(list(filter(undisturbed, answers))) < options.rounds


def rotate(items, count):
    """Let another one begin each time, so that nobody always follows the same."""
    count %= max(len(items), 1)
    return items[count:] + items[:count]


def count_tokens(case, search, answers):
    """Tokens of the answers, END included."""
    if search.new_tokens:
        return search.new_tokens * len(answers)
    return sum(len(ids) + 1 for ids in case.target_tokenizer.encode(answers))


def compare_answers(contest, members, case, search, options):
    """Let all translate the test set once; score the answers, and compare them."""
    test, size = case.sentences["test"], max(options.batches)
    sources = test["sources"]
    batches = [sources[i : i + size] for i in range(0, len(sources), size)]
    found = contest.ask_all(members, "translate", batches=batches)
    reference = found.get(REFERENCE, {}).get("answers")
    bleu, rows = sacrebleu.BLEU(), []
    for competitor, answer in found.items():
        answers = answer["answers"]
        rows.append(
            {
                "competitor": competitor.title,
                "bleu": bleu.corpus_score(answers, [test["references"]]).score,
                "same_as_reference": reference and share_of_equals(answers, reference),
                "seconds": answer["seconds"],
                "processor_seconds": answer["processor_seconds"],
                "tokens_per_second": count_tokens(case, search, answers)
                / answer["seconds"],
            }
        )
    title = f"beam {search.beam_size}, length penalty {search.length_penalty:g}"
    print_answers(f"{title}, {len(sources)} sentences", rows, bleu.get_signature())
    return {
        "beam_size": search.beam_size,
        "length_penalty": search.length_penalty,
        "sentences": len(sources),
        "batch_size": size,
        "signature": str(bleu.get_signature()),
        "rows": rows,
    }


def share_of_equals(answers, reference):
    return sum(a == b for a, b in zip(answers, reference)) / len(reference)


if __name__ == "__main__":
    main()
