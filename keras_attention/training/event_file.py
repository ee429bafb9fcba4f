"""Figures and texts of a training -> a file that TensorBoard shows."""

import itertools
import os
import pathlib
import socket
import time

import numpy as np

FILES = itertools.count()
# What TensorBoard looks for at the beginning of a file.
FORMAT = "brain.Event:2"


class EventFile:
    """Add scalars and tables of text, step by step, to what TensorBoard shows of a run.

    It needs tensorboard and nothing of TensorFlow, so it works on any backend. What
    has been added is in the file, even if the process dies then.

    Args:
        owner: Who writes, for the error message.
        folder: A run's folder; made when there is something to add. Each object has a
            file of its own there, and TensorBoard shows what all of them hold.

    Raises:
        ImportError: If tensorboard is not installed.
    """

    def __init__(self, owner, folder):
        require_tensorboard(owner)
        # TensorBoard takes files by "tfevents", in the order of their names.
        name = f"{int(time.time()):010}.{socket.gethostname()}.{os.getpid()}"
        name = f"events.out.tfevents.{name}.{next(FILES)}"
        self.path = pathlib.Path(folder) / name

    def add(self, step, scalars, tables):
        """Write scalars `{tag: number}` and tables `{tag: rows of str}` of one step."""
        from tensorboard.compat.proto import event_pb2
        from tensorboard.plugins.scalar import metadata as scalar_plugin
        from tensorboard.plugins.text import metadata as text_plugin

        event = event_pb2.Event(wall_time=time.time(), step=step)
        for tag, number in scalars.items():
            add_value(event, tag, float(number), "float32", scalar_plugin)
        for tag, rows in tables.items():
            add_value(event, tag, rows, "object", text_plugin)
        self._write(event)

    def _write(self, event):
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab") as file:
            records = RecordWriter(file)
            if not file.tell():
                start = event_pb2.Event(wall_time=time.time(), file_version=FORMAT)
                records.write(start.SerializeToString())
            records.write(event.SerializeToString())


def add_value(event, tag, value, dtype, plugin):
    """Add a tensor to an event, to be shown by one of TensorBoard's plugins."""
    from tensorboard.util import tensor_util

    event.summary.value.add(
        tag=tag,
        tensor=tensor_util.make_tensor_proto(np.array(value, dtype)),
        metadata=plugin.create_summary_metadata(display_name=tag, description=None),
    )


def require_tensorboard(owner):
    """Raise ImportError unless tensorboard is there, and say how to install it."""
    try:
        import tensorboard.compat.proto.event_pb2  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{owner}: got no tensorboard, but log_dir is for its files. Run: "
            f"pip install tensorboard"
        ) from error
