"""Weights from several moments of a training -> their mean, often a better model."""

import contextlib
import os
import pathlib
import shutil
import zipfile
import zlib
from collections.abc import Sequence

import h5py
import ml_dtypes
import numpy as np

from keras_attention.files.replaced_file import replaced_file

KINDS = (".weights.h5", ".keras")
# The weights within a `.keras` file, which is a ZIP archive.
MEMBER = "model.weights.h5"
# Where both kinds keep the state of the optimizer that a model was compiled with.
OPTIMIZER = "optimizer/"


def average_checkpoints(
    paths: Sequence[str | os.PathLike], output: str | os.PathLike
) -> pathlib.Path:
    """Average the weights of trained models, variable by variable.

    Each number becomes its mean over the files, computed in float64 and stored in the
    dtype that it has in them. What is counted or drawn, and not learned, is taken from
    the last file as it is: integers and the state of the optimizer; of `.keras` files
    the configuration, too.

    One variable at a time is in memory. `.keras` files are unpacked beside `output`
    and take as much disk again until they are averaged.

    Args:
        paths: Files that `model.save_weights` wrote (`.weights.h5`), or `model.save`
            (`.keras`), the latest last; one that is given twice counts twice.
        output: Where the mean is to be, a path of the same kind; it may be one of
            `paths`. What is there is replaced, but only when the new file is whole.

    Returns:
        `output` as a `pathlib.Path`, for `model.load_weights`.

    Raises:
        TypeError: If `paths` is a single path.
        FileNotFoundError: If a file is missing.
        ValueError: If there are no files, or files of two kinds; one can not be read;
            two differ in a variable's name, shape or dtype; or there is no mean of a
            variable, because it is quantized or not a number.

    Source:
        Vaswani et al., 2017, section 6.1: the mean of the last 5 or 20 checkpoints.

    Example:

        checkpoints = Checkpoints("checkpoints", keep=10)
        model.fit(batches, epochs=30, callbacks=[checkpoints])
        model.load_weights(average_checkpoints(checkpoints.paths, "mean.weights.h5"))
    """
    paths, output = require_files(paths), pathlib.Path(output)
    require_one_kind([*paths, output])
    average = average_archives if output.suffix == ".keras" else average_weights
    with replaced_file(output) as aside:
        average(paths, aside)
    return output


def average_archives(paths, output):
    """Write the mean of `.keras` files to `output`, and working files beside it."""
    files = [unpack(path, output.parent / str(i)) for i, path in enumerate(paths)]
    mean = output.parent / MEMBER
    average_weights(files, mean, paths)
    with zipfile.ZipFile(paths[-1]) as last, zipfile.ZipFile(output, "w") as archive:
        for member in last.infolist():
            if member.filename == MEMBER:
                archive.write(mean, MEMBER)
            else:
                archive.writestr(member, last.read(member))


def unpack(path, folder):
    """Write the weights of a `.keras` file into a folder, and return where."""
    damages = (zipfile.BadZipFile, zlib.error, EOFError, KeyError)
    with explained(path, *damages), zipfile.ZipFile(path) as archive:
        return archive.extract(MEMBER, folder)


def average_weights(files, output, paths=None):
    """Write the mean of HDF5 files to `output`; errors name them by `paths`."""
    paths = files if paths is None else paths
    with contextlib.ExitStack() as stack:
        sources = []
        for file, path in zip(files, paths):
            with explained(path, OSError, RuntimeError, KeyError):
                source = stack.enter_context(h5py.File(file))
                sources.append(variables_of(source))
            require_alike(path, sources[-1], paths[0], sources[0])
        shutil.copyfile(files[-1], output)
        target = stack.enter_context(h5py.File(output, "r+"))
        for name, variable in variables_of(target).items():
            if is_learned(name, variable):
                same = [source[name] for source in sources]
                write_numbers(variable, mean_of(name, same, paths))


def variables_of(file):
    """What an open HDF5 file holds: each variable by its name."""
    found = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item

    file.visititems(add)
    return found


def is_learned(name, variable):
    """Whether training moves a variable little by little, so that a mean is of use."""
    return not name.startswith(OPTIMIZER) and is_float(dtype_of(variable))


def is_float(dtype):
    return dtype.kind == "f" or dtype == ml_dtypes.bfloat16


def mean_of(name, variables, paths):
    """The mean of one variable in all files, in float64."""
    total = np.zeros(variables[0].shape)
    for variable, path in zip(variables, paths):
        with explained(path, OSError, RuntimeError):
            values = read_numbers(variable)
        require_numbers(path, name, values)
        total += values.astype("float64")
    return total / len(variables)


def dtype_of(variable):
    """The dtype of the numbers that a variable stands for.

    HDF5 has no bfloat16, and Keras stores its bits as an opaque type of two bytes.
    """
    if variable.attrs.get("dtype") == "bfloat16":
        return np.dtype(ml_dtypes.bfloat16)
    return variable.dtype


def read_numbers(variable):
    return np.asarray(variable[()]).view(dtype_of(variable))


def write_numbers(variable, values):
    variable[()] = values.astype(dtype_of(variable)).view(variable.dtype)


@contextlib.contextmanager
def explained(path, *damages):
    """Raise ValueError for errors that tell of a damaged file."""
    try:
        yield
    except damages as error:
        raise ValueError(
            f"average_checkpoints: got the file {path}, but no weights can be read "
            f"from it ({type(error).__name__}: {error}). It may be damaged, or not of "
            f"Keras: leave it out, or save it again."
        ) from error


def require_files(paths):
    """Return the paths of files as a list; raise unless all are there."""
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise TypeError(
            f"average_checkpoints: got one path, {paths!r}, but a list of them is "
            f"needed, as several files are averaged. Put it into a list."
        )
    paths = [pathlib.Path(path) for path in paths]
    if not paths:
        raise ValueError(
            "average_checkpoints: got no paths, but of no files there is no mean. Give "
            "at least one."
        )
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(
                f"average_checkpoints: got the path {path}, but there is no such file. "
                f"Give files that model.save_weights or model.save wrote."
            )
    return paths


def require_one_kind(paths):
    """Raise ValueError unless all paths end in `.weights.h5`, or all in `.keras`."""
    for kind in KINDS:
        if all(path.name.endswith(kind) for path in paths):
            return
    raise ValueError(
        f"average_checkpoints: got {', '.join(path.name for path in paths)} (the "
        f"output last), but all must end in {KINDS[0]}, or all in {KINDS[1]}. Give "
        f"files of one kind."
    )


def require_alike(path, variables, first_path, first):
    """Raise ValueError unless two files hold the same variables, and means of them."""
    names, first_names = [
        {name for name in found if not name.startswith(OPTIMIZER)}
        for found in (variables, first)
    ]
    for name in sorted(names ^ first_names):
        here, there = (path, first_path) if name in names else (first_path, path)
        raise ValueError(
            f"average_checkpoints: got the variable {name} in {here} and not in "
            f"{there}, but a mean is of the same variables in all files. Give files of "
            f"one model."
        )
    for name in sorted(names):
        form, first_form = form_of(variables[name]), form_of(first[name])
        if form != first_form:
            raise ValueError(
                f"average_checkpoints: got the variable {name} as {form} in {path} and "
                f"as {first_form} in {first_path}, but only equal forms have a mean. "
                f"Give files of one model."
            )
        require_mean(path, name, variables[name])


def form_of(variable):
    """The dtype and shape of a variable, to compare and to print."""
    return f"{dtype_of(variable).name} {variable.shape}"


def require_mean(path, name, variable):
    """Raise ValueError for numbers that are not what they say, but stand for others."""
    dtype = dtype_of(variable)
    counted = dtype.kind in "iu" and dtype.itemsize > 1
    if not (is_float(dtype) or counted or dtype.kind == "b"):
        raise ValueError(
            f"average_checkpoints: got the variable {name} as {dtype.name} in {path}, "
            f"but numbers that are quantized each by its own scale have no mean. "
            f"Average first, and quantize then."
        )


def require_numbers(path, name, values):
    """Raise ValueError if a weight is not a number."""
    count = np.count_nonzero(np.isnan(values))
    if count:
        raise ValueError(
            f"average_checkpoints: got {count} of {values.size} weights that are not a "
            f"number (NaN) in the variable {name} of {path}, but one of them makes the "
            f"mean NaN. Leave the file out, and look at how its training went wrong."
        )
