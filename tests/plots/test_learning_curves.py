import types

import numpy as np
import pytest

from keras_attention.plots.learning_curves import plot_learning_curves

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

LOGS = {
    "loss": [3.0, 2.0, 1.5],
    "val_loss": [3.1, 2.4, 2.2],
    "learning_rate": [1, 2, 1],
}


def lines(figure):
    """{panel: {line: its points}} of a figure."""
    return {
        axes.get_ylabel(): {
            line.get_label(): line.get_xydata().tolist() for line in axes.lines
        }
        for axes in figure.axes
    }


def test_each_measure_has_a_panel_and_both_sides_are_in_it():
    found = lines(plot_learning_curves(LOGS))
    assert list(found) == ["loss", "learning rate"]
    assert found["loss"] == {
        "learned from": [[1, 3.0], [2, 2.0], [3, 1.5]],
        "held out": [[1, 3.1], [2, 2.4], [3, 2.2]],
    }
    assert plot_learning_curves(LOGS).axes[1].get_legend() is None


def test_a_history_knows_its_epochs():
    history = types.SimpleNamespace(epoch=[4, 5, 6], history=LOGS)
    found = lines(plot_learning_curves(history))
    assert found["loss"]["learned from"][0] == [5, 3.0]


def test_a_log_of_some_epochs_is_drawn_at_them():
    logs = {"loss": np.arange(7.0), "val_bleu": [20.0, 25.0, 27.0]}
    found = lines(plot_learning_curves(logs, every=2))
    assert found["bleu"]["held out"] == [[2, 20.0], [4, 25.0], [6, 27.0]]


def test_a_table_is_drawn_with_its_gaps(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,val_bleu\n1,3.0,\n2,nan,20.5\n3,1.0,\n")
    found = lines(plot_learning_curves(str(path)))
    assert found["loss"]["learned from"][2] == [3, 1.0]
    assert found["bleu"]["held out"] == [[2, 20.5]]
    assert lines(plot_learning_curves(path)).keys() == found.keys()


def test_what_a_training_writes_can_be_drawn(tmp_path):
    from keras_attention.training.log_table import LogTable

    table = LogTable(tmp_path / "log.csv")
    table.on_epoch_end(0, {"loss": 3.0})
    table.on_epoch_end(1, {"loss": 2.0, "val_bleu": 20.0})
    found = lines(plot_learning_curves(tmp_path / "log.csv"))
    assert found["loss"]["learned from"] == [[1, 3.0], [2, 2.0]]
    assert found["bleu"]["held out"] == [[2, 20.0]]


@pytest.mark.parametrize(
    "logs, message",
    [
        ({}, "got logs of nothing, but no value"),
        ({"loss": []}, r"got logs of \['loss'\], but no value"),
        ({"loss": [3, 2, 1], "bleu": [1, 2]}, "got 2 values of 'bleu' for 3 epochs"),
        ("epoch,loss\n", "but no value"),
        ("epoch,loss\n1,high\n", "got 'high' under 'loss' in .*log.csv"),
        ("epoch,loss\n1,2,3\n", r"got \['3'\] under None"),
        ("loss\n1\n", r"with the columns \['loss'\].*must be 'epoch'"),
        ("", "with the columns None"),
    ],
)
def test_what_can_not_be_drawn_is_refused(logs, message, tmp_path):
    if isinstance(logs, str):
        (tmp_path / "log.csv").write_text(logs)
        logs = tmp_path / "log.csv"
    with pytest.raises(ValueError, match=f"^plot_learning_curves: .*{message}"):
        plot_learning_curves(logs, every=2)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="log.csv, but there is no such file"):
        plot_learning_curves(tmp_path / "log.csv")
