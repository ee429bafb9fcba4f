"""What the command lines of the contests have in common."""

import os
import pathlib
import shlex

from contest import Competitor

DATA = os.environ.get("KERAS_ATTENTION_DATA", "../shared/data")


def add_contest_options(parser, peers, rounds, budget):
    """Add who takes part, how often, on what data, and where it is written to.

    Args:
        parser: An `argparse.ArgumentParser`.
        peers: {name: what is known of the peer}.
        rounds, budget: Defaults of these options.
    """
    add = parser.add_argument
    add(
        "--only",
        nargs="+",
        metavar="PEER[:FORMAT]",
        default=list(peers),
        help=f"who takes part, such as {example_of(peers)}; a peer without a format "
        f"takes part in all of its own; default: {' '.join(peers)}",
    )
    add(
        "--data",
        type=pathlib.Path,
        default=pathlib.Path(DATA),
        help="folder with multi30k in it; default: $KERAS_ATTENTION_DATA, else "
        "../shared/data",
    )
    add(
        "--rounds",
        type=int,
        default=rounds,
        help="undisturbed timed repetitions of each competitor; up to twice as many "
        f"are tried; default: {rounds}",
    )
    add(
        "--budget",
        type=float,
        default=budget,
        help="seconds of processor time; who has used up more in one cell of the "
        f"tables takes no part in its further rounds; default: {budget}",
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
        help="folder to leave the data and the processes' logs in; default: they are "
        "removed",
    )
    add(
        "--quick",
        action="store_true",
        help="a smoke run of a minute or two: a small model, one format of each peer, "
        "little work, two rounds",
    )


def example_of(peers):
    """A competitor as it is written on the command line."""
    name, peer = next(reversed(peers.items()))
    return f"{name} or {shlex.quote(f'{name}:{peer.formats[-1]}')}"


def choose(options, peers, parser):
    """Names on the command line -> competitors."""
    for name in options.only:
        peer, _, number_format = name.partition(":")
        if peer not in peers:
            parser.error(f"--only: got {peer!r}, but there are {', '.join(peers)}")
        formats = peers[peer].formats[: 1 if options.quick else None]
        for one in [number_format] if number_format else formats:
            yield Competitor(peer, one, peers[peer])
