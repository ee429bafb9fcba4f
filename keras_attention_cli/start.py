"""Import Keras and TensorFlow, when they are needed, without what they have to say."""

import contextlib
import os


def start_keras(debug):
    """Import the package on TensorFlow, in whose graphs sentences are cut.

    TensorFlow logs what it finds on a machine, and no setting of it stops that; an
    error of the import itself is raised as ever.

    Args:
        debug: Whether to let it log.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if not debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with contextlib.nullcontext() if debug else silent_descriptor(2):
        import keras

        import keras_attention  # noqa: F401

        keras.ops.zeros(())  # It looks for devices at the first tensor.


@contextlib.contextmanager
def silent_descriptor(number):
    """Let nothing that is written to a file descriptor come out."""
    kept = os.dup(number)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, number)
        yield
    finally:
        os.dup2(kept, number)
        os.close(nowhere)
        os.close(kept)
