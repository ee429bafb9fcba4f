"""Files, or standard input -> lines to translate."""

import itertools
import os
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
        ValueError: a file is empty, likewise; or a line is not valid UTF-8.
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


def require_lines(path):
    """Raise unless a file is there and has a line."""
    if next(read_lines(path), None) is None:
        raise ValueError(
            f"lines_of: got 0 lines in {path}, but there must be at least one to "
            f"translate. Check how the file was written."
        )
