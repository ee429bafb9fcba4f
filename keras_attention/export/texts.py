"""Texts of Python to strings of TensorFlow, and back."""


def require_texts(texts, owner):
    """Return the texts as a list of bytes; raise unless all are Unicode text."""
    if isinstance(texts, (str, bytes)):
        raise TypeError(
            f"{owner}: got one {type(texts).__name__}, but a list of them is needed, "
            f"as many are answered at once. Put it into a list: [text]."
        )
    texts = list(texts)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"{owner}: got {type(text).__name__} at index {index}, but texts are "
                f"str. Convert it with str() or decode it first."
            )
    try:
        return [text.encode() for text in texts]
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{owner}: got a text with half a surrogate pair "
            f"({error.object[error.start]!a} at character {error.start}), which is no "
            f"Unicode text. Decode its source with errors='replace'."
        ) from error


def as_text(text):
    """A string of TensorFlow -> str."""
    return text.decode(errors="replace")
