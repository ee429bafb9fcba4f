"""Ask an export in a fresh process, through the loader that servers use."""

import json
import os
import subprocess
import sys
import textwrap

# Without the package, as TensorFlow Serving loads it.
PROGRAM = """
import json, sys
import tensorflow as tf, tensorflow_text
folder, asked = json.loads(sys.argv[1])
found = {}
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    model = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    for key, texts in asked.items():
        signature = model.signature_def[key]
        feed = {signature.inputs[name].name: texts[name] for name in texts}
        names = {name: tensor.name for name, tensor in signature.outputs.items()}
        found[key] = session.run(names, feed)
assert "keras_attention" not in sys.modules
def plain(value):
    return value.decode() if isinstance(value, bytes) else value
def nested(value):
    return [nested(one) for one in value] if isinstance(value, list) else plain(value)
print(json.dumps({
    key: {name: nested(array.tolist()) for name, array in outputs.items()}
    for key, outputs in found.items()
}))
"""


def ask_in_a_fresh_process(folder, **asked):
    """{input: list of str} -> {output: nested lists}, for each signature asked."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(PROGRAM),
            json.dumps([str(folder), asked]),
        ],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])
