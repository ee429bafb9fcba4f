"""A process that holds one competitor, and does what it is asked, a line at a time.

    python decoding_worker.py PEER FORMAT THREADS
    python training_worker.py PEER FORMAT THREADS

Requests and answers are lines of JSON on standard input and output.
"""

import importlib
import json
import logging
import os
import sys

logger = logging.getLogger(__name__)


class Worker:
    """A peer in one numeric format. Each method answers one kind of request.

    Args:
        peers: The package that holds the peers.
        peer_name: Module of the peer.
        number_format: One of the peer's.
    """

    def __init__(self, peers, peer_name, number_format):
        self.peers = peers
        self.peer_name = peer_name
        self.number_format = number_format

    def start(self):
        """Import the peer."""
        self.peer = importlib.import_module(f"{self.peers.__name__}.{self.peer_name}")
        return {}


def serve(worker_class, peers):
    """Make the worker of the command line, and let it answer until all is asked."""
    peer_name, number_format, threads = sys.argv[1:]
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    # What a library prints must not come between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    restrict_threads(int(threads))

    worker = worker_class(peers, peer_name, number_format)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:
            logger.exception("%s %s", peer_name, number_format)
            answer = {"error": explain(error, peers.PEERS[peer_name])}
        answers.write(json.dumps(answer) + "\n")


def restrict_threads(threads):
    """Let all libraries see so many cores; to be called before they are imported."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ["OMP_NUM_THREADS"] = str(threads)


def explain(error, peer):
    """What went wrong, in one line; for a missing package how to get it."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error}. Run: {peer.install}"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
