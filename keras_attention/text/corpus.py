"""Files, plain or gzipped -> sentences, one a line."""

import codecs
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator


def read_sentence_pairs(
    source: str | os.PathLike, target: str | os.PathLike | None = None
) -> tuple[list[str], list[str]]:
    """Read sentences and their translations from two files, or from one with tabs.

    Args:
        source: UTF-8 text, one sentence a line; gzipped if the name ends in `.gz`.
            Without `target`, each line is `sentence <tab> translation`, and further
            columns are ignored.
        target: UTF-8 text whose line n translates line n of `source`.

    Returns:
        (source_lines, target_lines), two lists of the same length. Lines end at
        "\\n" or "\\r\\n" and at no other character, so that a sentence may hold any
        other line break of Unicode. A byte order mark at the start is dropped.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is empty, is not valid UTF-8 or no whole gzip file; the two
            files differ in their number of lines; or a line has no tab where `target`
            is None.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "pairs.tsv"
        >>> _ = path.write_text("A dog runs.\\tEin Hund rennt.\\n", encoding="utf-8")
        >>> read_sentence_pairs(path)
        (['A dog runs.'], ['Ein Hund rennt.'])
    """
    if target is None:
        return _split_columns(source, _read_all(source))
    source_lines, target_lines = _read_all(source), _read_all(target)
    if len(source_lines) != len(target_lines):
        raise ValueError(
            f"read_sentence_pairs: got {len(source_lines)} lines in {source} and "
            f"{len(target_lines)} in {target}, but line n of one must translate line n "
            "of the other. Find the line that one of them lacks."
        )
    return source_lines, target_lines


def read_lines(path: str | os.PathLike) -> Iterator[str]:
    """The lines of a UTF-8 file, plain or `.gz`, without their line ends, one by one.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: a line is not valid UTF-8, or the file is no whole gzip file.
    """
    return decode_lines(_read_raw_lines(path), path)


def decode_lines(raw_lines: Iterable[bytes], name) -> Iterator[str]:
    """UTF-8 lines, such as those of `sys.stdin.buffer` -> str without line ends.

    Raises:
        ValueError: a line is not valid UTF-8; `name` says where.
    """
    for number, line in enumerate(raw_lines, start=1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"read_lines: got byte 0x{error.object[error.start]:02x} in line "
                f"{number} of {name}, but the text must be valid UTF-8. Convert the "
                "file, or remove the line."
            ) from error


def _read_raw_lines(path) -> Iterator[bytes]:
    """Yield lines with their ends: a file in binary mode splits at "\\n" alone."""
    open_file = gzip.open if os.fspath(path).endswith(".gz") else open
    try:
        with open_file(path, "rb") as file:
            yield from file
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"read_lines: got {path}, but there is no such file. Check the path."
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"read_lines: got {path}, but a name that ends in .gz must be of a whole "
            f"gzip file ({error}). Fetch the file again, or rename it."
        ) from error


def _read_all(path) -> list[str]:
    lines = list(read_lines(path))
    if not lines:
        raise ValueError(
            f"read_sentence_pairs: got 0 lines in {path}, but there must be at least "
            "one. Check how the file was written."
        )
    return lines


def _split_columns(path, lines: list[str]) -> tuple[list[str], list[str]]:
    """Lines of `source <tab> target` -> (sources, targets)."""
    pairs = [line.split("\t", maxsplit=2)[:2] for line in lines]
    for number, pair in enumerate(pairs, start=1):
        if len(pair) < 2:
            raise ValueError(
                f"read_sentence_pairs: got {pair[0][:80]!r} in line {number} of "
                f"{path}, but with one file each line needs a sentence, a tab and its "
                "translation. Add the tab, or pass the translations as target."
            )
    source_lines, target_lines = zip(*pairs)
    return list(source_lines), list(target_lines)
