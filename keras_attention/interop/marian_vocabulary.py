"""Marian's ids <-> ours: vocab.json, and the rows of the matrices.

Marian has V tokens, END first and `<pad>` last, and begins each translation with
`<pad>`. With us that token is START, which no other is; PAD, which no Marian model
knows as anything but a gap, is new. So we have V + 1.

    ours      0    1      2      3     4 ...
    Marian    -    <unk>  <pad>  </s>  all others, in their order
"""

import json

import numpy as np

from keras_attention.special_tokens import END

UNKNOWN_PIECE, START_PIECE, END_PIECE = SPECIAL = ("<unk>", "<pad>", "</s>")
OUR_SPECIAL_PIECES = ("<pad>", "<unk>", "<s>", "</s>")


class MarianVocabulary:
    """The pieces of a vocab.json, and how its ids become ours.

    Args:
        pieces: V pieces in the order of Marian's ids, with the special ones.

    Attributes:
        pieces: The same.
        order: (V,), int; Marian's id of our token 1, 2, ... V.
    """

    def __init__(self, pieces):
        self.pieces = list(pieces)
        ids = {piece: id for id, piece in enumerate(self.pieces)}
        special = [ids[piece] for piece in SPECIAL]
        others = [id for id in range(len(self.pieces)) if id not in special]
        self.order = np.array([*special, *others])

    @classmethod
    def of_tokenizer(cls, pieces, size=0):
        """The vocabulary that a tokenizer of ours becomes.

        Args:
            pieces: V + 1 pieces, in the order of our ids.
            size: V at least; tokens that stand for nothing fill it up.
        """
        others = list(pieces[END + 1 :])
        number = max(size - len(SPECIAL) - len(others), 0)
        fillers = [f"<filler{index}>" for index in range(number)]
        return cls([END_PIECE, UNKNOWN_PIECE, *others, *fillers, START_PIECE])

    @classmethod
    def read(cls, owner, path):
        """Read a vocab.json.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no list of pieces numbered from 0, or has not all
                special ones.
        """
        if not path.is_file():
            raise FileNotFoundError(
                f"{owner}: got the folder {path.parent}, but it has no {path.name}. "
                f"Download the whole model."
            )
        try:
            ids = json.loads(path.read_text(encoding="utf-8"))
            pieces = sorted(ids, key=ids.get)
            gaps = [ids[piece] for piece in pieces] != list(range(len(pieces)))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{owner}: got the file {path}, but it is no table of pieces and their "
                f"ids ({type(error).__name__}: {error}). Download it again."
            ) from error
        missing = [piece for piece in SPECIAL if piece not in ids]
        if gaps or missing:
            problem = f"no {', no '.join(missing)}" if missing else "gaps or doubles"
            raise ValueError(
                f"{owner}: got the file {path} of {len(pieces)} pieces with {problem}, "
                f"but the ids must run from 0 to {len(pieces) - 1}, with "
                f"{', '.join(SPECIAL)} among them. Download it again."
            )
        return cls(pieces)

    def write(self, path):
        """Write a vocab.json."""
        ids = {piece: id for id, piece in enumerate(self.pieces)}
        path.write_text(json.dumps(ids, indent=2), encoding="utf-8")

    @property
    def our_pieces(self):
        """V + 1 pieces, in the order of our ids."""
        others = self.order[len(SPECIAL) :]
        return [*OUR_SPECIAL_PIECES, *(self.pieces[id] for id in others)]

    def id_of(self, piece):
        """Marian's id of a piece."""
        return self.pieces.index(piece)

    def our_id(self, marian_id):
        """Our id of one of Marian's."""
        return 1 + int(np.flatnonzero(self.order == marian_id)[0])

    def to_ours(self, rows):
        """Rows (V, ...) -> (V + 1, ...): PAD's is 0."""
        return np.concatenate([np.zeros_like(rows[:1]), rows[self.order]])

    def to_marian(self, rows, filler=0.0):
        """Rows (V + 1, ...) or fewer -> (V, ...), `filler` for tokens that are new."""
        full = np.full((len(self.pieces), *rows.shape[1:]), filler, rows.dtype)
        full[self.order[: len(rows) - 1]] = rows[1:]
        return full
