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
import pathlib
import signal
import sys
import tempfile
from typing import NamedTuple

import sacrebleu
from case import Case, Search
from contest import Competitor, Contest
from options import add_contest_options, choose
from peers import PEERS
from report import (
    Machine,
    print_answers,
    print_machine,
    print_skipped,
    print_times,
    time_rows,
    write_record,
)

HERE = pathlib.Path(__file__).parent

BASE = {"num_layers": 6, "d_model": 512, "num_heads": 8, "d_ff": 2048}
SMALL = {"num_layers": 2, "d_model": 64, "num_heads": 4, "d_ff": 128}
VOCAB_SIZE = 8000
TOKENS = 32  # of each source, and new ones

# Whose answers the others' are compared with.
REFERENCE = Competitor("translator", "float32", PEERS["translator"])


class Text(NamedTuple):
    """A test set of Multi30k: how its files are called, and how sacrebleu reads it."""

    test_set: str
    bleu: dict


TEXTS = {
    "raw": Text("test_2016_flickr.{}.gz", {}),
    "tok": Text(
        "test_2016_flickr.lc.norm.tok.{}.gz", {"lowercase": True, "tokenize": "none"}
    ),
}

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
            options.competitors,
            HERE / "decoding_worker.py",
            options.threads,
            options.patience,
            folder / "logs",
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
        skipped = {c.title: why for c, why in contest.skipped.items()}
        write_record(options.json, facts, workloads=workloads, skipped=skipped)


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
        "--text",
        choices=TEXTS,
        default="raw",
        help="what it was trained on: Multi30k as written, or tokenised and in lower "
        "case; default: raw",
    )
    add(
        "--workloads",
        nargs="+",
        choices=WORKLOADS,
        default=list(WORKLOADS),
        help="which to run; default: both",
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
    add_contest_options(parser, PEERS, rounds=7, budget=60)
    options = parser.parse_args()
    options.sizes = BASE
    if options.quick:
        make_quick(options)
    options.competitors = list(choose(options, PEERS, parser))
    return options


def make_quick(options):
    """Cut all down to what shows that everything works."""
    options.sizes = SMALL
    options.beams = options.beams[-1:]
    options.batches = [1, 8]
    options.rounds = min(options.rounds, 2)
    options.sentences = min(options.sentences, 32)
    options.timed = min(options.timed, 4)


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
    differences = contest.check(case.folder, TOLERANCE)
    members = contest.members()
    cells = [
        cell
        for search in searches
        for cell in time_search(contest, members, case, search, options)
    ]
    return {"differences": differences, "times": cells}


def run_real(contest, folder, options):
    """A trained model on real sentences: speed, and whether it costs quality."""
    text = TEXTS[options.text]
    source, target = (
        options.data / "multi30k" / options.text / text.test_set.format(language)
        for language in ("en", "de")
    )
    reason = missing(options.translator, source)
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
        source=str(source),
        target=str(target),
        batch_sizes=options.batches,
        timed_sentences={
            size: max(options.timed, 4 * size) for size in options.batches
        },
        tested=options.sentences,
    )
    print(f"\n== Real sentences: {sizes_of(case)}, trained", flush=True)
    differences = contest.check(case.folder, TOLERANCE)
    members = [c for c in contest.members() if c.about.copies_weights]
    cells, answers = [], []
    for search in searches:
        cells += time_search(contest, members, case, search, options)
        answers.append(compare_answers(contest, members, case, search, options))
    return {"differences": differences, "times": cells, "answers": answers}


WORKLOADS = {"shapes": run_shapes, "real": run_real}


def missing(translator, source):
    """Why there is nothing real to measure, or None."""
    if translator is None:
        return "no trained model: give --translator FOLDER"
    if not translator.is_dir():
        return f"no folder {translator}"
    if not source.is_file():
        return f"no {source}: give --data FOLDER or set KERAS_ATTENTION_DATA"
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
    ours = [c for c in contest.members() if c.peer == "saved_model"]
    formats = sorted({c.number_format.partition(" ")[0] for c in ours})
    wide = [search for search in searches if search.beam_size > 1]
    contest.prepare(
        HERE / "prepare.py",
        folder.name,
        folder=str(folder),
        formats=formats,
        searches=[dataclasses.asdict(s) for s in wide or searches],
        **request,
    )
    return Case(folder)


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
        # To warm up.
        first = contest.ask_all(members, "translate", batches=batches)
        taken = contest.time_rounds(
            list(first), options.rounds, options.budget, "translate", batches=batches
        )
        tokens = {c: count_tokens(case, search, a["answers"]) for c, a in first.items()}
        rows = time_rows(taken, tokens, len(batches))
        print_times(f"beam {search.beam_size}, batch {size}", rows)
        cells.append({"beam_size": search.beam_size, "batch_size": size, "rows": rows})
    return cells


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
    bleu, rows = sacrebleu.BLEU(**TEXTS[options.text].bleu), []
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
