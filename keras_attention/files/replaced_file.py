"""Write a file aside and put it in its place only when it is whole."""

import contextlib
import os
import pathlib
import re
import shutil
import socket


@contextlib.contextmanager
def replaced_file(path):
    """Yield a path to write to, which takes the place of `path` if the block succeeds.

    When the block fails, the disk is full or the process dies, what was at `path` is
    still there, whole. The file is written beside it, so on the same disk, under the
    same name in a hidden folder: what looks for `*.weights.h5` finds no half files,
    and what demands a suffix gets it. It reaches the disk before it is renamed.

    What a process leaves that dies at it is removed when anything is next written into
    the same folder on the same machine.

    Args:
        path: Where the file is to be. Missing parents are made; a link stays, and what
            it leads to is replaced.

    Yields:
        A `pathlib.Path` with the name of `path`, where nothing is yet.

    Raises:
        FileNotFoundError: If the block wrote no file.
        IsADirectoryError: If `path` is a folder.

    Example:

        with replaced_file("best.weights.h5") as aside:
            model.save_weights(aside)
    """
    name, path = pathlib.Path(path).name, pathlib.Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    folder = path.with_name(
        f".{path.name}.{socket.gethostname()}.{os.getpid()}.partial"
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        aside = folder / name
        yield aside
        flush_file(aside)
        aside.replace(path)
        flush_names(path.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(folder):
    """Remove what processes of this machine left in a folder when they died."""
    host = re.escape(socket.gethostname())
    pattern = re.compile(rf"\..+\.{host}\.(\d{{1,9}})\.partial", re.DOTALL)
    for path in folder.iterdir():
        made_by = pattern.fullmatch(path.name)
        if made_by and not is_running(int(made_by[1])):
            shutil.rmtree(path, ignore_errors=True)


def is_running(process_id):
    """Whether there is, or may be, a process of this number."""
    if os.name == "nt":  # There os.kill would end the process that it asks about.
        return True
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # It is another user's.
        return True
    return True


def flush_file(path):
    """Wait until what was written to a file would survive a loss of power."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def flush_names(folder):
    """Do the same for the names in a folder, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
