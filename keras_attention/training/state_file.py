"""Arrays and facts -> one file, and back to the bit."""

import contextlib
import json
import zipfile
import zlib

import numpy as np

# What the files are called that these functions can read. A change of the form is a
# new number, so that an old state is refused by name and not misread.
FORM = "keras_attention training state 1"

FACTS = "facts.json"

# What zipfile, NumPy and json raise over the bytes of a damaged file.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def write_state(path, facts, arrays):
    """Write facts and arrays to a file that `read_facts` and `read_arrays` can read.

    An ordinary `.npz` without compression, each array under its number, with the facts
    as JSON beside them. The arrays are taken one at a time, so a generator of them
    needs no more memory than the largest.

    Args:
        path: Of a new file.
        facts: What JSON can hold.
        arrays: NumPy arrays of any shapes and dtypes, those of ml_dtypes included.

    Raises:
        OSError: If the disk is full or will not be written.
    """
    dtypes = []
    with zipfile.ZipFile(path, "w") as file:
        for number, array in enumerate(arrays):
            dtypes.append(str(array.dtype))
            with file.open(f"{number}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, as_stored(array), allow_pickle=False)
        head = {"form": FORM, "dtypes": dtypes, "facts": facts}
        file.writestr(FACTS, json.dumps(head, default=as_python_number))


def read_facts(path):
    """Read the facts of a state.

    Raises:
        ValueError: If the file is damaged, or of another form.
    """
    with opened(path) as file:
        return read_head(path, file)["facts"]


def read_arrays(path):
    """Read the arrays of a state in their order, one at a time.

    Raises:
        ValueError: If the file is damaged, or of another form. Each array is held
            against its checksum when its turn comes.
    """
    with opened(path) as file:
        for number, dtype in enumerate(read_head(path, file)["dtypes"]):
            with file.open(f"{number}.npy") as member:
                stored = np.lib.format.read_array(member, allow_pickle=False)
                member.read()  # To the end, where the checksum is looked at.
            yield stored.view(dtype)


@contextlib.contextmanager
def opened(path):
    """Open a state; what goes wrong with its bytes becomes one ValueError."""
    with open(path, "rb") as bytes_of_it:
        try:
            with zipfile.ZipFile(bytes_of_it) as file:
                yield file
        except OtherForm:
            raise
        except DAMAGE as error:
            raise ValueError(
                f"ResumableTraining: got {path}, but it cannot be read as a state of "
                f"training ({type(error).__name__}: {error}): it is damaged, or "
                f"something else. Put a copy of the state there, or remove the file to "
                f"train from the start."
            ) from error


class OtherForm(ValueError):
    """A whole state that another version wrote."""


def read_head(path, file):
    """Form, dtypes and facts of a state, of a form that we know."""
    head = json.loads(file.read(FACTS))
    if head["form"] != FORM:
        raise OtherForm(
            f"ResumableTraining: got {path}, a {head['form']!r}, but this version "
            f"reads a {FORM!r}. Go on with the version that wrote it, or remove the "
            f"file to train from the start."
        )
    return head


def as_stored(array):
    """The array as integers of its size if its dtype is unknown to NumPy's files."""
    return array.view(f"u{array.itemsize}") if array.dtype.kind == "V" else array


def as_python_number(value):
    """A number of NumPy, which JSON does not know, as one of Python."""
    return value.item()
