"""Rows of token ids of different lengths, in one flat array."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class RaggedIds:
    """Rows of ids behind one another, and where each row starts and stops.

    A million sentences as lists of int take gigabytes; so they take 4 bytes a token.

    Args:
        values: (tokens,), integers; the ids of all rows. Kept as int32.
        row_splits: (rows + 1,), integers; row n is
            `values[row_splits[n] : row_splits[n + 1]]`.

    Raises:
        TypeError: an array holds no integers.
        ValueError: the splits do not cut the values into rows.

    Example:

    >>> ids = RaggedIds(np.array([5, 6, 7]), np.array([0, 2, 2, 3]))
    >>> [row.tolist() for row in ids]
    [[5, 6], [], [7]]
    """

    values: np.ndarray
    row_splits: np.ndarray

    def __post_init__(self):
        values = _integers("values", self.values)
        splits = _integers("row_splits", self.row_splits)
        if not _cut_into_rows(splits, len(values)):
            raise ValueError(
                f"RaggedIds: got {len(values)} values and row_splits={splits}, but "
                f"splits must rise from 0 to {len(values)}. Check that they belong to "
                "these values."
            )
        object.__setattr__(self, "values", values.astype(np.int32, copy=False))
        object.__setattr__(self, "row_splits", splits.astype(np.int64, copy=False))

    @classmethod
    def of(cls, rows) -> "RaggedIds":
        """Sequences of ids, or anything with `values` and `row_splits` -> ids.

        The latter may be a `RaggedIds`, or a `tf.RaggedTensor` as a tokenizer gives it.

        Raises:
            TypeError: the items are no sequences of integers.
        """
        if isinstance(rows, cls):
            return rows
        if hasattr(rows, "row_splits"):
            return cls(np.asarray(rows.values), np.asarray(rows.row_splits))
        try:
            sequences = list(rows)
            lengths = [len(row) for row in sequences]
        except TypeError as error:
            raise TypeError(
                f"RaggedIds: got a {type(rows).__name__} whose items are no sequences "
                f"({error}), but needs the ids of each sentence by themselves. Put one "
                "sentence in a list."
            ) from error
        # Of no id at all, NumPy would make floats.
        filled = [np.atleast_1d(row) for row in sequences if len(row)]
        values = np.concatenate(filled) if filled else np.zeros(0, np.int32)
        return cls(values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))

    def __len__(self):
        return len(self.row_splits) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        """The ids of one row: (T,)."""
        row = range(len(self))[row]
        return self.values[self.row_splits[row] : self.row_splits[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Ids in each row: (rows,)."""
        return np.diff(self.row_splits)

    def cut(self, length: int) -> "RaggedIds":
        """The first `length` ids of each row."""
        places = np.arange(len(self.values))
        places -= np.repeat(self.row_splits[:-1], self.lengths)  # in the row
        splits = np.cumsum(np.minimum(self.lengths, length))
        return RaggedIds(self.values[places < length], np.concatenate([[0], splits]))

    def with_first(self, token: int) -> "RaggedIds":
        """The rows with one token more in front of each."""
        return self._insert(token, self.row_splits[:-1])

    def with_last(self, token: int) -> "RaggedIds":
        """The rows with one token more behind each."""
        return self._insert(token, self.row_splits[1:])

    def padded(self, rows: np.ndarray, shape: tuple[int, int], pad: int) -> np.ndarray:
        """Some rows as one array, cut and filled up with `pad` to its shape.

        Args:
            rows: (n,), numbers of rows, with n at most `shape[0]`.
            shape: (B, W) of the result.
            pad: What fills it up.

        Returns:
            (B, W), int32.
        """
        starts, stops = self.row_splits[rows], self.row_splits[rows + 1]
        places = starts[:, None] + np.arange(shape[1])  # (n, W)
        inside = places < stops[:, None]
        padded = np.full(shape, pad, np.int32)
        padded[: len(rows)][inside] = self.values[places[inside]]
        return padded

    def _insert(self, token, places):
        longer = self.row_splits + np.arange(len(self.row_splits))
        return RaggedIds(np.insert(self.values, places, token), longer)


def _integers(name, array) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"RaggedIds: got {name} of {array.dtype}, but ids and splits are integers. "
            "Tokenize sentences first, and cast floats."
        )
    return array


def _cut_into_rows(splits, num_values) -> bool:
    return (
        splits.ndim == 1
        and len(splits) > 0
        and splits[0] == 0
        and splits[-1] == num_values
        and bool((splits[1:] >= splits[:-1]).all())
    )
