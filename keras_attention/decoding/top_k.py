"""Rows (R, V) -> the largest k of each row, fast on long rows."""

from keras import ops

# Between these widths both stages are short: the maxima of the blocks, and the
# few blocks that are searched in full.
NARROWEST_BLOCK, WIDEST_BLOCK = 32, 128


def top_k(x, k):
    """Return the k largest values of each row and where they stand, as `ops.top_k`.

    A row is cut into blocks. Each of the k largest values lies in one of the k
    blocks with the largest maxima, so only these are searched: one pass over
    the row, where a search for k values takes several. Among equal values the
    first one wins, as it does in `ops.top_k` on TensorFlow and JAX.

    Args:
        x: (R, V), float; V is known.
        k: Number of values, at most V.

    Returns:
        values (R, k) from large to small, and indices (R, k), int32.
    """
    block = block_width(x.shape[-1], k)
    if block is None:
        values, indices = ops.top_k(x, k)
        return values, ops.cast(indices, "int32")
    num_blocks = x.shape[-1] // block
    rows = ops.arange(ops.shape(x)[0], dtype="int32")[:, None]
    blocks = ops.reshape(x, (-1, num_blocks, block))
    _, best = ops.top_k(ops.max(blocks, axis=-1), k)
    best = ops.sort(ops.cast(best, "int32"), axis=-1)  # (R, k)
    blocks = ops.reshape(x, (-1, block))  # (R * num_blocks, block)
    searched = ops.take(blocks, rows * num_blocks + best, axis=0)  # (R, k, block)
    values, found = ops.top_k(ops.reshape(searched, (-1, k * block)), k)
    found = ops.cast(found, "int32")  # (R, k)
    origins = ops.take(ops.reshape(best, (-1,)), rows * k + found // block, axis=0)
    return values, origins * block + found % block


def block_width(row_width, k):
    """Return the widest block that cuts a row evenly, None where none saves time."""
    for block in range(WIDEST_BLOCK, NARROWEST_BLOCK - 1, -1):
        if row_width % block == 0 and row_width // block >= 4 * k:
            return block
    return None
