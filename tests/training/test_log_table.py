"""The table has a row for each epoch, and a column for each figure."""

import csv

from keras_attention.training.log_table import LogTable


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_figure_of_some_epochs_has_empty_cells_in_the_others(tmp_path):
    table = LogTable(tmp_path / "log.csv")
    table.on_train_begin()
    table.on_epoch_end(0, {"loss": 2.5})
    table.on_epoch_end(1, {"loss": 1.5, "val_bleu": 20})
    assert rows(tmp_path / "log.csv") == [
        {"epoch": "1", "loss": "2.5", "val_bleu": ""},
        {"epoch": "2", "loss": "1.5", "val_bleu": "20.0"},
    ]


def test_a_training_that_goes_on_keeps_its_rows_and_none_comes_twice(tmp_path):
    table = LogTable(tmp_path / "log.csv")
    table.on_epoch_end(0, {"loss": 2.5})
    state = table.get_state()
    table.on_epoch_end(1, {"loss": 9.9})  # killed before its state was saved

    table = LogTable(tmp_path / "log.csv")
    table.on_train_begin()
    table.set_state(state)
    table.on_epoch_end(1, {"loss": 1.5})
    assert [row["loss"] for row in rows(tmp_path / "log.csv")] == ["2.5", "1.5"]


def test_a_new_training_starts_a_new_table(tmp_path):
    table = LogTable(tmp_path / "log.csv")
    for _ in range(2):
        table.on_train_begin()
        table.on_epoch_end(0, {"loss": 2.5})
    assert len(rows(tmp_path / "log.csv")) == 1
