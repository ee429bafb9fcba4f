"""A worker that translates: see `worker.py` and `peers`."""

import gc
import time

import peers
from case import Case, Search
from worker import Worker, serve


class DecodingWorker(Worker):
    """A peer that translates."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.translate_batch = None

    def check(self, case):
        """How far its results are from ours, in float32."""
        return {"difference": float(self.peer.largest_difference(Case(case)))}

    def build(self, case, search):
        """Make ready for one case and search; what was built before is given up."""
        self.translate_batch = None
        gc.collect()
        started = time.perf_counter()
        self.translate_batch = self.peer.build(
            Case(case), self.number_format, Search(**search)
        )
        return {"seconds": time.perf_counter() - started}

    def translate(self, batches):
        """Translate one batch after the other, and say how long they took together."""
        gc.collect()
        started, processor_started = time.perf_counter(), time.process_time()
        answers = [self.translate_batch(texts) for texts in batches]
        return {
            "seconds": time.perf_counter() - started,
            "processor_seconds": time.process_time() - processor_started,
            "answers": [answer for batch in answers for answer in batch],
        }


if __name__ == "__main__":
    serve(DecodingWorker, peers)
