"""Requests that TensorFlow Serving answers while it loads a SavedModel."""

import os
import pathlib
from collections.abc import Sequence

import tensorflow as tf

from keras_attention.files.replaced_file import replaced_file

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"
# TensorFlow Serving does not load a model with more.
MAX_REQUESTS = 1000


def write_warm_up_requests(
    folder: str | os.PathLike,
    texts: Sequence[str],
    signatures: Sequence[str] = ("serving_default",),
):
    """Let TensorFlow Serving answer some requests before it says a model is ready.

    TensorFlow prepares much of its work at the first use, so the first answers of a
    fresh server are slow. With warm-up requests nobody waits for them. Each text is
    one request to each signature; a signature that takes more than `text`, such as
    `score`, gets the text for each of its inputs.

    A server does not load a model that fails on one of its requests. Therefore each
    is answered here first, and written only if all were.

    Args:
        folder: A SavedModel, such as "saved_models/en-de/1". What was written there
            before is replaced, but only when the new file is whole.
        texts: List of str, sentences as they will be asked: short and long ones.
        signatures: Names of the signatures to warm up.

    Raises:
        ImportError: If tensorflow-serving-api is not installed.
        FileNotFoundError: If the folder holds no SavedModel.
        TypeError: If `texts` or `signatures` is a single str.
        ValueError: If there are no texts or more than 1000 requests, if the model
            does not have a signature, or fails on a text.

    Source:
        TensorFlow Serving, "SavedModel Warmup": the file's name, format and limit.

    Example:

        translator.export("saved_models/en-de/1")
        write_warm_up_requests("saved_models/en-de/1", ["A dog runs.", "Hello!"])
    """
    predict_pb2, prediction_log_pb2 = import_serving_api()
    folder = pathlib.Path(folder)
    require_saved_model(folder)
    require_requests(texts, signatures)
    served = tf.saved_model.load(str(folder)).signatures
    require_signatures(folder, served, signatures)

    records = []
    for name in signatures:
        for text in texts:
            inputs = ask(served[name], name, text)
            request = predict_pb2.PredictRequest(inputs=inputs)
            request.model_spec.name = folder.resolve().parent.name
            request.model_spec.signature_name = name
            log = prediction_log_pb2.PredictLog(request=request)
            records.append(prediction_log_pb2.PredictionLog(predict_log=log))
    write_records(folder / WARM_UP_FILE, records)


def ask(signature, name, text):
    """Return the inputs of a request, as protos; raise ValueError if it fails."""
    _, inputs = signature.structured_input_signature
    try:
        signature(**{key: tf.constant([text]) for key in inputs})
    except (tf.errors.OpError, TypeError, ValueError) as error:
        raise ValueError(
            f"write_warm_up_requests: got the text {text!r:.80} for the signature "
            f"{name!r}, but the model fails on it, and a server would not load the "
            f"model. Leave the text out. The model says: {error}"
        ) from error
    return {key: tf.make_tensor_proto([text]) for key in inputs}


def write_records(path, records):
    """Write protos to a TFRecord file, which is there when it is whole."""
    with replaced_file(path) as aside, tf.io.TFRecordWriter(str(aside)) as writer:
        for record in records:
            writer.write(record.SerializeToString())


def import_serving_api():
    """Import the protos of TensorFlow Serving, or say which package to install."""
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError as error:
        raise ImportError(
            "write_warm_up_requests: got no tensorflow-serving-api, but the requests "
            "are written in its format. Run: "
            "pip install 'keras-attention-transformer[serving]'"
        ) from error
    return predict_pb2, prediction_log_pb2


def require_saved_model(folder):
    """Raise FileNotFoundError unless a folder holds a SavedModel."""
    if not tf.saved_model.contains_saved_model(str(folder)):
        raise FileNotFoundError(
            f"write_warm_up_requests: got the folder {folder}, but it holds no "
            f"SavedModel (no saved_model.pb). Give a folder that Translator.export "
            f"wrote, with its version number."
        )


def require_requests(texts, signatures):
    """Raise TypeError or ValueError unless there are from 1 to 1000 requests."""
    for name, value in (("texts", texts), ("signatures", signatures)):
        if isinstance(value, str):
            raise TypeError(
                f"write_warm_up_requests: got {name}={value!r:.80}, one str, but a "
                f"list is needed. Put it into a list: [{name[:-1]}]."
            )
    count = len(texts) * len(signatures)
    if not 1 <= count <= MAX_REQUESTS:
        raise ValueError(
            f"write_warm_up_requests: got {len(texts)} texts for {len(signatures)} "
            f"signatures, which makes {count} requests, but TensorFlow Serving takes "
            f"from 1 to {MAX_REQUESTS}. Give some texts, a few of each length."
        )


def require_signatures(folder, served, signatures):
    """Raise ValueError unless a SavedModel has all the signatures."""
    missing = sorted(set(signatures) - set(served))
    if missing:
        raise ValueError(
            f"write_warm_up_requests: got signatures={missing}, but the SavedModel in "
            f"{folder} has only {sorted(served)}. Name some of these."
        )
