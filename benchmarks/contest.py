"""The competitors, each in a process of its own; only one of them runs at a time."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import psutil

# A repetition is disturbed if others take a larger share of a core meanwhile.
DISTURBED = 0.15


class Competitor(NamedTuple):
    """A peer in one numeric format.

    Attributes:
        peer: Its name: the module that the worker imports.
        number_format: One of its formats.
        about: What is known of it without importing it; has a `title`, and says
            whether it is one of `ours`.
    """

    peer: str
    number_format: str
    about: NamedTuple

    @property
    def title(self):
        return f"{self.about.title} {self.number_format}"

    @property
    def ours(self):
        return self.about.ours


class Contest:
    """Start competitors, ask them, and stop them. Who fails takes no further part.

    Args:
        competitors: List of `Competitor`.
        worker: The program that is run for each.
        threads: Cores that each may use.
        patience: Seconds to wait, all in all, for moments when nothing else runs.
        logs: Folder for what the processes print.
        backend: Keras's, for all of them.

    Attributes:
        skipped: {competitor: reason} of those that take no part.
    """

    def __init__(
        self, competitors, worker, threads, patience, logs, backend="tensorflow"
    ):
        self.competitors = competitors
        self.worker = worker
        self.threads = threads
        self.patience = patience
        self.logs = logs
        self.backend = backend
        self.processes = {}
        self.skipped = {}

    def __enter__(self):
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            for competitor in self.competitors:
                print(f"starting {competitor.title}", flush=True)
                self.processes[competitor] = self._start(competitor)
                self.ask(competitor, "start")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        for process in self.processes.values():
            process.kill()
            process.wait()

    def prepare(self, program, name, **request):
        """Let a process of its own write what all are to work on, by the CPU."""
        environment = {
            **os.environ,
            "KERAS_BACKEND": self.backend,
            "JAX_PLATFORMS": "cpu",
        }
        log_path = self.logs / f"{pathlib.Path(program).stem}-{name}.log"
        with open(log_path, "w") as log:
            done = subprocess.run(
                [sys.executable, program, json.dumps(request)],
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                env=environment,
            )
        if done.returncode:
            raise SystemExit(f"{program} failed:\n{log_path.read_text()[-2000:]}")

    def members(self):
        """Those who still take part."""
        return [c for c in self.competitors if c not in self.skipped]

    def ask_all(self, competitors, do, **request):
        """Ask one after the other. Returns {competitor: answer} of who answered."""
        answers = {c: self.ask(c, do, **request) for c in competitors}
        return {c: answer for c, answer in answers.items() if answer is not None}

    def ask(self, competitor, do, **request):
        """Let one competitor run for as long as it takes to answer.

        Returns:
            The answer, a dict, with the cores that others took meanwhile; None if
            it failed, now or before.
        """
        if competitor in self.skipped:
            return None
        process = self.processes[competitor]
        others = OthersClock(process.pid)
        process.send_signal(signal.SIGCONT)
        try:
            process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            answer = {
                "error": f"its process ended ({process.wait()}) while it was to {do}"
            }
        else:
            process.send_signal(signal.SIGSTOP)
        if "error" not in answer:
            return {**answer, "cores_taken_by_others": others.cores()}
        self.leave(competitor, answer["error"])

    def check(self, case, tolerance):
        """Leave out who computes something else than our model, in float32.

        Args:
            case: Folder of the case, where weights of ours and our results are.
            tolerance: Most that rounding may do to a result.

        Returns:
            {peer: largest difference} of the peers whose `about` has `is_checked`.
        """
        checked = {c.peer: c for c in self.members() if c.about.is_checked}
        found = self.ask_all(checked.values(), "check", case=str(case))
        differences = {c.peer: answer["difference"] for c, answer in found.items()}
        for competitor, answer in found.items():
            print(
                f"largest difference to {competitor.about.title}: "
                f"{answer['difference']:.1e}",
                flush=True,
            )
        for member in self.members():
            if not differences.get(member.peer, 0.0) < tolerance:
                self.leave(member, f"its results are off by {differences[member.peer]}")
        return differences

    def time_rounds(self, competitors, rounds, budget, do, **request):
        """Ask all in turn for one repetition, round after round.

        Args:
            competitors: Who is asked.
            rounds: Undisturbed repetitions of each; up to twice as many are tried.
            budget: Seconds of processor time; who has used up more is asked no more.
            do, **request: As for `ask`; an answer has `processor_seconds`.

        Returns:
            {competitor: [answer of each repetition]} of who gave any.
        """
        taken = {competitor: [] for competitor in competitors}
        for number in range(2 * rounds):
            for competitor in rotate(competitors, number):
                if wants_another(taken[competitor], rounds, budget):
                    self.wait_for_quiet()
                    answer = self.ask(competitor, do, **request)
                    taken[competitor] += [answer] if answer else []
        return {c: answers for c, answers in taken.items() if answers}

    def wait_for_quiet(self):
        """Return when nothing else runs, or the patience is used up."""
        started = time.perf_counter()
        while self.patience > 0:
            share = psutil.cpu_percent(interval=0.2) / 100
            if share * psutil.cpu_count() < DISTURBED:
                break
            self.patience -= time.perf_counter() - started
            started = time.perf_counter()

    def leave(self, competitor, reason):
        """Let a competitor take no further part."""
        self.skipped[competitor] = reason
        print(f"without {competitor.title}: {reason}", flush=True)
        self.processes[competitor].kill()

    def _start(self, competitor):
        environment = {
            "TF_CPP_MIN_LOG_LEVEL": "2",
            **os.environ,
            "KERAS_BACKEND": self.backend,
            # JAX would take three quarters of a GPU for itself.
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            # An empty one: who compiles is to do so in each run.
            "TORCHINDUCTOR_CACHE_DIR": tempfile.mkdtemp(dir=self.logs),
        }
        name = f"{competitor.peer}-{competitor.number_format}".replace(" ", "-")
        with open(self.logs / f"{name}.log", "w") as log:
            return subprocess.Popen(
                [
                    sys.executable,
                    self.worker,
                    competitor.peer,
                    competitor.number_format,
                    str(self.threads),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )


def wants_another(answers, rounds, budget):
    """Whether there are too few undisturbed repetitions, and seconds left for more."""
    # Not by the clock, which also runs while a process is kept from running.
    quickest = min((answer["processor_seconds"] for answer in answers), default=0.0)
    is_in_budget = quickest * len(answers) < budget
    return is_in_budget and len(list(filter(undisturbed, answers))) < rounds


def rotate(items, count):
    """Let another one begin each time, so that nobody always follows the same."""
    count %= max(len(items), 1)
    return items[count:] + items[:count]


def undisturbed(answer):
    """Whether nothing else ran while a competitor made its answer."""
    return answer["cores_taken_by_others"] < DISTURBED


class OthersClock:
    """How many cores all other processes have taken since it was made."""

    def __init__(self, pid):
        self.process = psutil.Process(pid)
        self.started = time.perf_counter()
        self.seconds_before = self._seconds()

    def cores(self):
        """Their number on average; clocks of 10 ms make it coarse for short times."""
        taken = self._seconds() - self.seconds_before
        return max(0.0, taken / (time.perf_counter() - self.started))

    def _seconds(self):
        process = self.process.cpu_times()
        return busy_seconds() - process.user - process.system


def busy_seconds():
    """Processor time that has been taken on this machine, by all and everything."""
    times = psutil.cpu_times()
    # What guests take is part of `user`, too.
    return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
