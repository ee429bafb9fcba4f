"""Write a folder aside and put it in its place only when it is whole."""

import contextlib
import os
import pathlib
import shutil

# What is in the folder of a SavedModel.
EXPORTED = ("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra")


@contextlib.contextmanager
def replaced_folder(owner, path, names):
    """Yield a new folder that takes the place of `path` if the block succeeds.

    When the block fails, or the process dies in it, what was at `path` is still
    there. The new folder is made beside it, on the same disk, under a hidden name
    that a server looking for version numbers passes over.

    Args:
        owner: Who writes, for the error message.
        path: Where the folder is to be. Missing parents are made; a link stays, and
            what it leads to is replaced.
        names: Of all that a folder of this kind may hold. One with other things in it
            is not ours to replace.

    Raises:
        FileExistsError: If `path` is a file, or a folder that holds something else.
    """
    path = pathlib.Path(os.path.realpath(path))
    require_replaceable(owner, path, names)
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


def require_replaceable(owner, path, names):
    """Raise FileExistsError unless `path` is free, empty, or of the kind written."""
    if path.is_file():
        raise FileExistsError(
            f"{owner}: got the path {path}, but that is a file, and a folder is to be "
            f"written. Give the path of a new folder."
        )
    if not path.is_dir():
        return
    others = sorted({one.name for one in path.iterdir()} - set(names))
    if others:
        raise FileExistsError(
            f"{owner}: got the path {path}, but that folder holds other things "
            f"({', '.join(others)}), which would be lost. Give the path of a new or "
            f"empty folder, or of one written by {owner} before."
        )
