"""Lines of a word and its numbers -> words and a matrix (V, D)."""

import array
import codecs

import numpy as np

OWNER = "load_word_vectors"


def read_text(file, path, header, encoding, errors):
    """Read the text format of word2vec, or of GloVe, which has no header.

    Own code, as gensim's reader takes one number on a line for all D, drops a word that
    comes again, and names no lines.

    Args:
        file: Open for bytes.
        path: Its name, for the messages.
        header: Whether the first line is "V D".
        encoding, errors: See `load_word_vectors`.

    Returns:
        list of str, and (V, D) float32.

    Raises:
        ValueError: See `load_word_vectors`.
    """
    count = d_model = None
    numbers, line_of = array.array("f"), {}
    for line, content in enumerate(file, start=1):
        content = content.removeprefix(codecs.BOM_UTF8) if line == 1 else content
        fields = content.rstrip().split(b" ")
        if line == 1 and header:
            count, d_model = (int(field) for field in content.split())
            continue
        if fields == [b""]:
            continue
        d_model = d_model or len(fields) - 1
        where = f"line {line} of {path}"
        word = decode(join_word(fields, d_model, where), where, encoding, errors)
        require_new(word, line, line_of, f"lines {{}} and {{}} of {path}")
        line_of[word] = line
        numbers.extend(parse(fields[-d_model:], where))
    if count not in (None, len(line_of)):
        raise ValueError(
            f"{OWNER}: got {len(line_of)} words in {path}, but its first line says "
            f"{count}. Fetch the file again, as it may be cut, or correct that line."
        )
    return list(line_of), np.frombuffer(numbers, "float32").reshape(-1, d_model)


def join_word(fields, d_model, where):
    """The word of a line, before its numbers; in a few files it holds spaces."""
    spaces = fields[1 : len(fields) - d_model]
    if not d_model or len(fields) <= d_model or any(map(is_number, spaces)):
        found = sum(map(is_number, fields[1:]))
        needed = f"{d_model}, as in the lines before" if d_model else "at least one"
        raise ValueError(
            f"{OWNER}: got {found} numbers in {where}, but there must be a word and "
            f"{needed}, with spaces between them. Correct the line or remove it."
        )
    return b" ".join(fields[: len(spaces) + 1]).rstrip(b" ")


def parse(fields, where):
    """Bytes of numbers -> an array of float32."""
    try:
        numbers = array.array("f", map(float, fields))
    except ValueError:
        wrong = next(field for field in fields if not is_number(field))
        raise ValueError(
            f"{OWNER}: got {wrong[:20]!r} in {where}, but behind the word there must "
            f"be {len(fields)} numbers. Correct the line or remove it."
        ) from None
    require_finite(numbers, where)
    return numbers


def is_number(field):
    try:
        float(field)
    except ValueError:
        return False
    return True


def decode(word, where, encoding, errors):
    """Bytes of a word -> str."""
    try:
        return word.decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{OWNER}: got byte 0x{word[error.start]:02x} in {where}, but the words "
            f"must be valid {encoding}. Name the encoding of the file, such as "
            f"encoding='cp949' or 'latin-1', or give errors='backslashreplace'."
        ) from error


def require_new(word, place, places, where):
    """Raise ValueError if a word has a place already."""
    if word in places:
        raise ValueError(
            f"{OWNER}: got {word!r} twice, in {where.format(places[word], place)}, but "
            f"a word has one vector. Remove one of the two."
        )


def require_finite(numbers, where):
    """Raise ValueError if a vector has NaN or an infinite number."""
    if not np.all(np.isfinite(numbers)):
        raise ValueError(
            f"{OWNER}: got NaN or an infinite number in {where}, but such a vector is "
            f"near to no other. Correct it or remove it."
        )
