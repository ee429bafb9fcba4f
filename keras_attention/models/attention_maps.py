"""Where a model looks in one sentence, piece by piece: what pictures are made of."""

import dataclasses

import numpy as np

# Who looks and at what, by the kind of attention.
KINDS = {
    "encoder": ("source", "source"),
    "decoder": ("target", "written"),
    "cross": ("target", "source"),
}
START_PIECE = "<s>"


@dataclasses.dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Where every head of every layer looks in one sentence, piece by piece.

    A row of a map is a piece that looks, a column one that is looked at, and each row
    sums to 1. In the decoder a row is the piece that is about to be written; it sees
    START and what is written so far.

    Args:
        source_pieces: S str, what the encoder reads.
        target_pieces: T str, what the decoder writes; none for an encoder alone.
        encoder: (L, N, S, S), float: the source at itself. None where there is none.
        decoder: (L, N, T, T), float: the target at START and all its pieces but the
            last. None where there is none.
        cross: (L, N, T, S), float: the target at the source. None where there is none.

    Raises:
        ValueError: If a map's shape does not fit the pieces, or there is no map.

    Example:

    >>> maps = AttentionMaps(["a", "dog"], ["ein", "Hund"], cross=np.eye(2)[None, None])
    >>> maps.kinds, maps.matrix("cross").shape, maps.columns("decoder")
    (('cross',), (2, 2), ('<s>', 'ein'))
    """

    source_pieces: list
    target_pieces: list = ()
    encoder: np.ndarray | None = None
    decoder: np.ndarray | None = None
    cross: np.ndarray | None = None

    def __post_init__(self):
        require_any(self.kinds)
        for kind in self.kinds:
            require_fitting(kind, self)

    @classmethod
    def from_signature(cls, outputs, index=0):
        """Read what the signature `attention` of an exported translator answers.

        Args:
            outputs: Its outputs by name, as tensors, NumPy arrays, or the lists of
                TensorFlow Serving's REST interface.
            index: Which text's, from 0.

        Returns:
            AttentionMaps with `cross` (1, 1, T, S), the mean of all layers and heads.

        Raises:
            ValueError: If an output is missing, or the text has no pieces.
        """
        names = ("source_pieces", "target_pieces", "attention")
        require_outputs(names, outputs)
        source, target = [
            [as_text(piece) for piece in np.asarray(outputs[name])[index] if piece]
            for name in names[:2]
        ]
        weights = np.asarray(outputs["attention"], "float32")[index]  # (T, S)
        weights = weights[: len(target), : len(source)]
        return cls(source, target, cross=weights[None, None])

    @property
    def kinds(self):
        """The kinds of attention that there are maps of, a tuple of str."""
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)

    def rows(self, kind):
        """The pieces that look, a tuple of str."""
        return self._pieces(KINDS[kind][0])

    def columns(self, kind):
        """The pieces that are looked at, a tuple of str."""
        return self._pieces(KINDS[kind][1])

    def matrix(self, kind, layer=None, head=None):
        """The weights of one head.

        Args:
            kind: "encoder", "decoder" or "cross".
            layer, head: From 0; None for the mean of all.

        Returns:
            (rows, columns), float.
        """
        maps = getattr(self, kind)  # (L, N, T, S)
        maps = maps.mean(axis=0) if layer is None else maps[layer]  # (N, T, S)
        return maps.mean(axis=0) if head is None else maps[head]  # (T, S)

    def _pieces(self, side):
        if side == "written":
            return (START_PIECE, *self.target_pieces[:-1])
        return tuple(getattr(self, f"{side}_pieces"))


def as_text(piece):
    """A string of TensorFlow, of NumPy or of JSON -> str."""
    return piece.decode(errors="replace") if isinstance(piece, bytes) else str(piece)


def require_any(kinds):
    """Raise ValueError unless there is a map of some kind."""
    if not kinds:
        raise ValueError(
            f"AttentionMaps: got no map, but there is nothing to look at without one. "
            f"Give {', '.join(KINDS)}, or some of them."
        )


def require_fitting(kind, maps):
    """Raise ValueError unless a map has a row and a column for each piece."""
    shape = np.shape(getattr(maps, kind))
    needed = len(maps.rows(kind)), len(maps.columns(kind))
    if len(shape) != 4 or shape[2:] != needed or 0 in shape:
        raise ValueError(
            f"AttentionMaps: got {kind} of shape {shape}, but {needed[0]} pieces that "
            f"look at {needed[1]} need (layers, heads, {needed[0]}, {needed[1]}), all "
            f"above 0. Take one sentence of the batch, and its pieces without padding."
        )


def require_outputs(names, outputs):
    """Raise ValueError unless a signature answered all that is needed."""
    missing = [name for name in names if name not in outputs]
    if missing:
        raise ValueError(
            f"AttentionMaps.from_signature: got the outputs {sorted(outputs)}, but no "
            f"{', no '.join(missing)}. Ask the signature 'attention' of the export."
        )
