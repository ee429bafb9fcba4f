"""A weight, float32 -> how an export stores it -> a tensor to compute with."""

import ml_dtypes
import numpy as np
import tensorflow as tf

# What each format computes in.
COMPUTE_DTYPES = {"float32": "float32", "bfloat16": "bfloat16", "int8": "bfloat16"}


def pack(weight, numeric_format, per_row=False):
    """Store a weight.

    Args:
        weight: float32 array.
        numeric_format: "float32", "bfloat16", or "int8": matrices as integers from -127
            to 127 with a scale for each output, all else as bfloat16.
        per_row: The outputs of the matrix are its rows and not its columns.

    Returns:
        The arrays to store: one, or the integers and their scales.
    """
    if numeric_format == "float32":
        return (weight,)
    if numeric_format == "bfloat16" or weight.ndim < 2:
        return (weight.astype(ml_dtypes.bfloat16),)
    largest = np.abs(weight).max(axis=1 if per_row else 0, keepdims=True)
    # The integers are those of the rounded scale, which is what they will meet.
    scale = (np.where(largest > 0, largest, 1.0) / 127).astype(ml_dtypes.bfloat16)
    integers = np.round(weight / scale.astype("float32"))
    return np.clip(integers, -127, 127).astype("int8"), scale


def unpack(stored):
    """Make a tensor of what `pack` stored, given as constants or variables."""
    tensors = [tf.convert_to_tensor(part) for part in stored]
    if len(tensors) == 1:
        return tensors[0]
    integers, scale = tensors
    return tf.cast(integers, scale.dtype) * scale


def format_of(compute_dtype):
    """The format for a model that computes so; float16, which is none, is float32."""
    return compute_dtype if compute_dtype in COMPUTE_DTYPES else "float32"


def require_numeric_format(numeric_format):
    """Raise ValueError unless an export can have this format."""
    if numeric_format not in COMPUTE_DTYPES:
        raise ValueError(
            f"Translator.export: got dtype={numeric_format!r}, but weights are stored "
            f"as {', '.join(map(repr, COMPUTE_DTYPES))}. Use one of these: bfloat16 is "
            f"the fastest on processors that have it, int8 the smallest."
        )
