"""Named tensors in a file <-> {name: array}: safetensors, or PyTorch's own format."""

import importlib
import importlib.util
import pathlib
import subprocess
import sys
import tempfile

import ml_dtypes  # noqa: F401 (from then on NumPy knows bfloat16)
import numpy as np

SAFETENSORS_FILE = "model.safetensors"
TORCH_FILE = "pytorch_model.bin"

# A file of torch.save -> one of NumPy.
UNPACK = """
import sys, numpy, torch
tensors = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
arrays = {name: tensor.float().numpy() for name, tensor in tensors.items()}
numpy.savez(sys.argv[2], **arrays)
"""


def find_tensor_file(owner, folder):
    """The file of the weights in a folder.

    Raises:
        FileNotFoundError: If there is none.
    """
    for name in (SAFETENSORS_FILE, TORCH_FILE):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"{owner}: got the folder {folder}, but it has no {SAFETENSORS_FILE} and no "
        f"{TORCH_FILE}, and so no weights. Download the whole model."
    )


def read_tensors(owner, path):
    """Read all tensors of a file, as float32.

    Args:
        owner: Who reads, for the error messages.
        path: A file of safetensors, or one named *.bin that torch.save wrote.

    Returns:
        {name: float32 array}.

    Raises:
        ImportError: If the package that reads it is not installed.
        ValueError: If it can not be read, as one that was cut off.
    """
    read = read_torch if path.suffix == ".bin" else read_safetensors
    try:
        tensors = read(owner, path)
    except (ImportError, OSError):
        raise
    except Exception as error:  # each format has its own
        raise ValueError(
            f"{owner}: got the file {path}, but it can not be read "
            f"({type(error).__name__}: {error}). Check that it was not cut off, and "
            f"download it again."
        ) from error
    return {name: values.astype(np.float32) for name, values in tensors.items()}


def read_safetensors(owner, path):
    """{name: array} of a file of safetensors."""
    return import_safetensors(owner, "read", path).load_file(path)


def read_torch(owner, path):
    """{name: array} of a file of torch.save; nothing but tensors is unpacked.

    In a process of its own, as PyTorch and TensorFlow both bring an LLVM, of which some
    releases do not get on in one process (torch 2.15.0 with TensorFlow 2.21.0).
    """
    if importlib.util.find_spec("torch") is None:
        raise missing_package(owner, "torch", "read", path)
    with tempfile.TemporaryDirectory() as folder:
        arrays = pathlib.Path(folder, "arrays.npz")
        process = subprocess.run(
            [sys.executable, "-c", UNPACK, str(path), str(arrays)],
            capture_output=True,
            text=True,
        )
        if process.returncode:
            raise ValueError(process.stderr.strip().rpartition("\n")[-1])
        with np.load(arrays) as tensors:
            return dict(tensors)


def write_tensors(owner, path, tensors):
    """Write {name: array} as a file of safetensors, as PyTorch's libraries want it."""
    safetensors = import_safetensors(owner, "write", path)
    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    # Not by its own save_file, whose files nobody but their owner may read.
    path.write_bytes(safetensors.save(tensors, metadata={"format": "pt"}))


def import_safetensors(owner, purpose, path):
    """Import safetensors, or say what to install."""
    try:
        return importlib.import_module("safetensors.numpy")
    except ImportError as error:
        raise missing_package(owner, "safetensors", purpose, path) from error


def missing_package(owner, package, purpose, path):
    return ImportError(
        f"{owner}: got no {package}, but needs it to {purpose} {path.name}. Run: "
        f"pip install {package}"
    )
