"""Ids (B, T) -> rows (B, T, D) of a table that is learned."""

from keras import ops


def look_up(table, ids):
    """Take a row of the table for each id.

    Along axis 1 and not 0: of a row that is taken twice along axis 0, Keras 3.15 on
    TensorFlow hands an optimizer two gradients, and Adam sums their squares where it
    needs the square of their sum.

    Args:
        table: (V, D), float. Of a layer in half precision a weight made with
            `autocast=False`, and the rows are cast: the gradient of a row is the sum
            over all ids that name it, which in bfloat16 stops growing at 256 of them.
        ids: Int, of any shape.

    Returns:
        (*ids, D), float.

    Example:

    >>> look_up(np.eye(3), np.array([[1, 1]])).shape
    (1, 2, 3)
    """
    return ops.squeeze(ops.take(ops.expand_dims(table, 0), ids, axis=1), axis=0)
