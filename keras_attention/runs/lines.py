"""Files, or standard input -> lines to translate."""

import itertools
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence

from keras_attention.text.corpus import decode_lines, read_lines

STANDARD_INPUT = "-"


def lines_of(files: Sequence[str | os.PathLike]) -> Iterator[str]:
    """Read the lines of several files, one file after the other.

    Args:
        files: UTF-8 text, plain or `.gz`; "-", or no file at all, is standard input,
            whose lines come as soon as they are there.

    Raises:
        FileNotFoundError: a file is missing; before any line is read.
        ValueError: a file, which is no pipe, is empty, likewise; or a line is not
            valid UTF-8.
    """
    files = list(files) or [STANDARD_INPUT]
    for path in files:
        if path != STANDARD_INPUT:
            require_lines(path)
    return itertools.chain.from_iterable(map(lines_from, files))


def lines_from(path):
    """The lines of one file, or of standard input."""
    if path == STANDARD_INPUT:
        return decode_lines(sys.stdin.buffer, "standard input")
    return read_lines(path)


def is_pipe(path):
    """Whether what is read from a path is gone then: `<(zcat text.gz)`, a terminal."""
    path = pathlib.Path(path)
    return path.is_fifo() or path.is_char_device()


def require_lines(path):
    """Raise unless a file is there and has a line; a pipe is left for later."""
    if is_pipe(path):  # Its lines can be read once only.
        return
    if next(read_lines(path), None) is None:
        raise ValueError(
            f"lines_of: got 0 lines in {path}, but there must be at least one to "
            f"translate. Check how the file was written."
        )
