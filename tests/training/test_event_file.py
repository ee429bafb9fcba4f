"""What is written for TensorBoard is what TensorBoard reads."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import textwrap

import pytest
from event_reading import read_events

import keras_attention
from keras_attention.training.event_file import EventFile

TABLE = [("source", "model"), ("a | *b*", "ü\n가"), ("", "c")]


def decoded(rows):
    return [[cell.decode() for cell in row] for row in rows]


def test_what_is_added_is_in_the_file_at_once(tmp_path):
    events = EventFile("Test", tmp_path / "new" / "run")
    assert not (tmp_path / "new").exists()
    events.add(0, {"bleu": 31.25, "chrf": 60}, {"translations": TABLE})
    found = read_events(tmp_path / "new" / "run")
    assert found["bleu"] == [(0, 31.25)] and found["chrf"] == [(0, 60)]
    ((step, rows),) = found["translations"]
    assert step == 0
    assert decoded(rows) == [list(row) for row in TABLE]


def test_steps_are_added_to_one_file(tmp_path):
    events = EventFile("Test", str(tmp_path))
    for step in (3, 5):
        events.add(step, {"bleu": 10 * step}, {})
    assert read_events(tmp_path) == {"bleu": [(3, 30), (5, 50)]}
    assert [path.name for path in tmp_path.iterdir()] == [events.path.name]


def test_each_object_has_a_file_of_its_own(tmp_path):
    for step in range(3):
        EventFile("Test", tmp_path).add(step, {"bleu": step}, {})
    assert len(list(tmp_path.iterdir())) == 3
    assert read_events(tmp_path) == {"bleu": [(0, 0), (1, 1), (2, 2)]}


PROGRAM = """
    import json, sys
    sys.modules["tensorflow"] = None
    from keras_attention.training.event_file import EventFile
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = EventFile("Test", sys.argv[1])
    for step in range(2):
        table = [["a", "b"], ["c", str(step)]]
        events.add(step, {"bleu": 1.5 * step}, {"table": table})
    shown = EventAccumulator(sys.argv[1])
    shown.Reload()
    print(json.dumps({
        tag: [
            shown.SummaryMetadata(tag).plugin_data.plugin_name,
            [
                [event.step, *event.tensor_proto.float_val]
                + [text.decode() for text in event.tensor_proto.string_val]
                for event in shown.Tensors(tag)
            ],
        ]
        for tag in shown.Tags()["tensors"]
    }))
"""


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="needs a backend that works without TensorFlow",
)
def test_tensorboard_reads_it_and_tensorflow_is_not_needed(tmp_path):
    root = pathlib.Path(keras_attention.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "bleu": ["scalars", [[0, 0.0], [1, 1.5]]],
        "table": ["text", [[0, "a", "b", "c", "0"], [1, "a", "b", "c", "1"]]],
    }


def test_a_missing_tensorboard_is_said_before_anything_is_written(
    tmp_path, monkeypatch
):
    for name in list(sys.modules):
        if name.partition(".")[0] == "tensorboard":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match="Test: got no tensorboard.*pip install"):
        EventFile("Test", tmp_path)
    assert not list(tmp_path.iterdir())
