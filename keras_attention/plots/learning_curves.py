"""The logs of a training -> curves, those of one measure in one panel."""

import csv
import pathlib
from typing import NamedTuple

from keras_attention.plots.figure import new_figure

HELD_OUT = "val_"


class Curve(NamedTuple):
    """One log of a training: its values, and the epochs they are of, counted from 1."""

    epochs: list
    values: list


def plot_learning_curves(logs, every=1):
    """Draw how the figures of a training went from epoch to epoch.

    Args:
        logs: What `model.fit` returned, a `keras.callbacks.History`; or the `log.csv`
            of a training's folder, as a path; or {name: values}, a value an epoch.
        every: Epochs between two values of a log that has fewer values than there are
            epochs, such as that of `BleuCallback(every=10)`. A file says it itself.

    Returns:
        `matplotlib.figure.Figure`: a panel for each measure, where "loss", of what is
        learned from, and "val_loss", of what is held out, are drawn together.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is nothing to draw, a cell of the file is no number, or a
            log has neither a value an epoch nor one for each `every` epochs.
        ImportError: If matplotlib is not installed.

    Example:

    >>> logs = {"loss": [3.0, 2.0], "val_loss": [3.1, 2.4], "val_bleu": [17.0]}
    >>> tuple(axes.get_ylabel() for axes in plot_learning_curves(logs, every=2).axes)
    ('loss', 'bleu')
    """
    curves = curves_of(logs, every)
    require_curves(curves)
    measures = list(dict.fromkeys(name.removeprefix(HELD_OUT) for name in curves))
    columns = min(3, len(measures))
    rows = -(-len(measures) // columns)
    figure = new_figure("plot_learning_curves", 4.2 * columns, 3.2 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, measure in zip(panels, measures):
        draw(axes, measure, curves)
    for axes in list(panels):
        axes.remove()
    return figure


def draw(axes, measure, curves):
    """Draw one measure, of what was learned from and of what was held out."""
    names = {measure: "learned from", HELD_OUT + measure: "held out"}
    drawn = {name: label for name, label in names.items() if name in curves}
    for name, label in drawn.items():
        marker = "." if len(curves[name].epochs) < 30 else None
        color = "C1" if name.startswith(HELD_OUT) else "C0"
        axes.plot(*curves[name], label=label, color=color, marker=marker)
    axes.set(xlabel="epoch", ylabel=measure.replace("_", " "))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    if HELD_OUT + measure in drawn:  # A rate or a time is of neither.
        axes.legend()


def curves_of(logs, every):
    """Logs of any form -> {name: Curve}."""
    if isinstance(logs, (str, pathlib.Path)):
        return curves_in_file(pathlib.Path(logs))
    epochs = None
    if hasattr(logs, "history"):
        epochs, logs = [epoch + 1 for epoch in logs.epoch], logs.history
    longest = max((len(values) for values in logs.values()), default=0)
    epochs = epochs or list(range(1, longest + 1))
    return {
        name: Curve(epochs_of(name, values, epochs, every), list(values))
        for name, values in logs.items()
    }


def epochs_of(name, values, epochs, every):
    """The epochs, of all, that the values of a log are of."""
    if len(values) == len(epochs):
        return epochs
    measured = [epoch for epoch in epochs if epoch % every == 0]
    if len(values) != len(measured):
        raise ValueError(
            f"plot_learning_curves: got {len(values)} values of {name!r} for "
            f"{len(epochs)} epochs, but with every={every} there would be "
            f"{len(measured)}. Give as `every` the epochs between two values."
        )
    return measured


def curves_in_file(path):
    """A table of comma-separated values, a row an epoch -> {name: Curve}."""
    require_file(path)
    curves = {}
    with open(path, newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        require_epochs(path, table.fieldnames)
        for row in table:
            cells = {name: number(path, name, cell) for name, cell in row.items()}
            epoch = cells.pop("epoch")
            for name, value in cells.items():
                if value is not None:
                    curve = curves.setdefault(name, Curve([], []))
                    curve.epochs.append(epoch)
                    curve.values.append(value)
    return curves


def number(path, name, cell):
    """A cell of a table as a number; None for an empty one."""
    try:
        return float(cell) if cell else None
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"plot_learning_curves: got {cell!r} under {name!r} in {path}, but the "
            f"table must hold numbers, with a line of names above. Give the log.csv of "
            f"a training."
        ) from error


def require_file(path):
    """Raise FileNotFoundError unless there is a file."""
    if not path.is_file():
        raise FileNotFoundError(
            f"plot_learning_curves: got {path}, but there is no such file. Give the "
            f"log.csv in the folder of a training."
        )


def require_epochs(path, names):
    """Raise ValueError unless a table says which epochs its rows are of."""
    if "epoch" not in (names or ()):
        raise ValueError(
            f"plot_learning_curves: got {path} with the columns {names}, but one of "
            f"them must be 'epoch'. Give the log.csv of a training."
        )


def require_curves(curves):
    """Raise ValueError unless there is something to draw."""
    if not any(curve.values for curve in curves.values()):
        raise ValueError(
            f"plot_learning_curves: got logs of {sorted(curves) or 'nothing'}, but no "
            f"value in them. Train for an epoch first."
        )
