"""Write a folder aside and put it in its place only when it is whole."""

import contextlib
import os
import pathlib
import shutil


@contextlib.contextmanager
def replaced_folder(owner, path, marker):
    """Yield a new folder that takes the place of `path` if the block succeeds.

    When the block fails, or the process dies in it, what was at `path` is still
    there. The new folder is made beside it, on the same disk, under a hidden name
    that a server looking for version numbers passes over.

    Args:
        owner: Who writes, for the error message.
        path: Where the folder is to be. Missing parents are made.
        marker: A file that every folder of this kind holds. A folder with other
            things in it is not ours to replace.

    Raises:
        FileExistsError: If `path` is a file, or a folder that holds something but
            not `marker`.
    """
    path = pathlib.Path(os.path.abspath(path))
    require_replaceable(owner, path, marker)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        swap(aside, path, old)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def swap(new, path, old):
    """Rename `path` to `old`, then `new` to `path`; undo the first if that fails."""
    if path.exists():
        path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        if old.exists():
            old.rename(path)
        raise


def require_replaceable(owner, path, marker):
    """Raise FileExistsError unless `path` is free, empty, or of the kind written."""
    if path.is_file():
        raise FileExistsError(
            f"{owner}: got the path {path}, but that is a file, and a folder is to be "
            f"written. Give the path of a new folder."
        )
    if path.is_dir() and any(path.iterdir()) and not (path / marker).exists():
        raise FileExistsError(
            f"{owner}: got the path {path}, but that folder holds other things (no "
            f"{marker}), which would be lost. Give the path of a new or empty folder, "
            f"or of one written by {owner} before."
        )
