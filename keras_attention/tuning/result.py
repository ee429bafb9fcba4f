"""The trials of a search -> a table, a plot, and the best model with its settings."""

import dataclasses
import pathlib
from collections.abc import Callable

import keras


@dataclasses.dataclass(frozen=True)
class TuningRow:
    """What came of one trial.

    Attributes:
        trial: Its name, as in the folder of the search.
        status: "COMPLETED", "FAILED", or "RUNNING" if the search was stopped in it.
        score: Its objective, at its best epoch; None unless it was completed.
        parameters: Of the model.
        settings: What was trained, by the names of `TransformerHyperModel`'s ranges.
        reason: Why it failed; empty if it did not, and if a worker in another process
            ran it, which KerasTuner lets not tell: that worker has printed it.
    """

    trial: str
    status: str
    score: float | None
    parameters: int
    settings: dict
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class TuningResult:
    """What came of a search; `str` of it is a table.

    Attributes:
        objective: Name of the figure that trials are compared by.
        rows: A `TuningRow` for each trial, the best first, the failed ones last.
        load: A row -> a new model with the weights of the best epoch of its trial.
    """

    objective: str
    rows: list[TuningRow]
    load: Callable[[TuningRow], keras.Model]

    @property
    def best_settings(self) -> dict:
        """The settings of the best trial: arguments of `Transformer` and of training.

        Raises:
            RuntimeError: No trial was completed.
        """
        return self._best.settings

    def best_model(self) -> keras.Model:
        """A new model as the best trial had it at its best epoch, compiled.

        Raises:
            RuntimeError: No trial was completed.
        """
        return self.load(self._best)

    def __str__(self):
        names = self._varied()
        heads = ["trial", self.objective, "parameters", *names]
        cells = [
            [
                row.trial,
                row.status.lower() if row.score is None else f"{row.score:.4f}",
                f"{row.parameters:,}",
                *(shown(row.settings[name]) for name in names),
            ]
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(heads, *cells)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths))
            for line in [heads, *cells]
        ]
        return "\n".join([*lines, *self._constants(), *self._reasons()])

    def plot(self, path):
        """Draw the score of each trial, and how it goes with each setting.

        Args:
            path: Of a picture: .png, .svg or .pdf. Missing folders are made.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        figure = import_figure()
        completed = [row for row in self.rows if row.score is not None]
        names = self._varied()
        columns = min(4, 1 + len(names))
        lines = -(-(1 + len(names)) // columns)
        drawing = figure(figsize=(3 * columns, 2.6 * lines), layout="constrained")
        panels = drawing.subplots(lines, columns, squeeze=False, sharey=True).flat
        first, *others = panels
        by_trial = sorted(completed, key=lambda row: row.trial)
        first.plot(
            [row.trial for row in by_trial], [row.score for row in by_trial], "o"
        )
        first.set(xlabel="trial", ylabel=self.objective)
        first.tick_params(axis="x", rotation=90)
        for panel, name in zip(others, names):
            points = [(row.settings[name], row.score) for row in completed]
            panel.scatter(*zip(*points) if points else ([], []))
            panel.set_xlabel(name)
        for panel in others[len(names) :]:
            panel.remove()
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(path, dpi=150)

    @property
    def _best(self):
        if not self.rows or self.rows[0].score is None:
            reasons = "; ".join(self._reasons()) or "see what the workers print"
            raise RuntimeError(
                f"TuningResult: got {len(self.rows)} trials, but none was completed "
                f"({reasons}). Lower the largest sizes, batches or learning rates."
            )
        return self.rows[0]

    def _varied(self):
        """The settings in which trials differ."""
        names = self.rows[0].settings if self.rows else ()
        return [n for n in names if len({row.settings[n] for row in self.rows}) > 1]

    def _constants(self):
        varied = self._varied()
        settings = self.rows[0].settings.items() if self.rows else ()
        same = [
            f"{name} {shown(value)}" for name, value in settings if name not in varied
        ]
        return [f"all: {', '.join(same)}"] if same else []

    def _reasons(self):
        return [f"{row.trial}: {row.reason}" for row in self.rows if row.reason]


def shown(value):
    """A setting for a table."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def import_figure():
    """Import matplotlib's Figure, or say which package to install."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "TuningResult: got no matplotlib, but it is what draws. Run: pip install "
            "'keras-attention-transformer[plot]'"
        ) from error
    return Figure
