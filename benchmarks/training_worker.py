"""A worker that trains: see `worker.py` and `training_peers`."""

import gc
import time

import training_peers
from training_case import TrainingCase
from worker import Worker, serve


class TrainingWorker(Worker):
    """A peer that trains."""

    def check(self, case):
        """How far its loss is from ours with the same weights, in float32."""
        return {"difference": self.peer.loss_difference(TrainingCase(case))}

    def build(self, case):
        """Make the model, and take the first step, with all that is compiled for it."""
        started = time.perf_counter()
        self.trainer = self.peer.build(TrainingCase(case), self.number_format)
        loss = self.trainer.first_step()
        return {
            "seconds": time.perf_counter() - started,
            "loss": loss,
            "parameters": self.trainer.parameters,
            "steps": self.trainer.steps,
        }

    def train(self):
        """Learn all batches once."""
        gc.collect()
        started, processor_started = time.perf_counter(), time.process_time()
        loss = self.trainer.train()
        return {
            "seconds": time.perf_counter() - started,
            "processor_seconds": time.process_time() - processor_started,
            "loss": loss,
            "peak_mib": self.trainer.peak_mib(),
        }


if __name__ == "__main__":
    serve(TrainingWorker, training_peers)
