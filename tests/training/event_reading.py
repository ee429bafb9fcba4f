"""What is in the files of TensorBoard in a folder, read without TensorFlow."""

import struct

from tensorboard.compat.proto import event_pb2
from tensorboard.util import tensor_util


def records(path):
    """Records are: length, its checksum, the record, its checksum."""
    content, place = path.read_bytes(), 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        yield content[place + 12 : place + 12 + length]
        place += length + 16


def read_events(folder):
    """`{tag: [(step, array), ...]}` of all files."""
    found = {}
    for path in sorted(folder.glob("*tfevents*")):
        for record in records(path):
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                array = tensor_util.make_ndarray(value.tensor)
                found.setdefault(value.tag, []).append((event.step, array))
    return found
