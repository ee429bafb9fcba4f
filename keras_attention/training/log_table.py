"""The logs of each epoch -> a table in a file, to watch a training by."""

import csv

import keras

from keras_attention.files.replaced_file import replaced_file


class LogTable(keras.callbacks.Callback):
    """Write a row of figures for each epoch, as comma-separated values.

    A log that comes later, or only in some epochs, gets its column, too, and its cells
    are empty elsewhere. The file is whole at any moment. With `ResumableTraining` a
    training that is started again goes on with the rows it had, and none comes twice.

    Args:
        path: Where the table is to be. What is there is replaced.

    Example:

        model.fit(batches, epochs=30, callbacks=[LogTable("log.csv")])
    """

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.rows = []

    def get_state(self):
        """The rows so far, for JSON."""
        return {"rows": list(self.rows)}

    def set_state(self, state):
        """Go on from what `get_state` returned."""
        self.rows = list(state["rows"])

    def on_train_begin(self, logs=None):
        self.rows = []

    def on_epoch_end(self, epoch, logs=None):
        figures = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, **figures})
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with replaced_file(self.path) as aside:
            with open(aside, "w", newline="", encoding="utf-8") as file:
                table = csv.DictWriter(file, columns)
                table.writeheader()
                table.writerows(self.rows)
