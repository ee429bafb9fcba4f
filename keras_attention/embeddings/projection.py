"""Vectors (V, D) -> points in the directions in which they vary most."""

import numpy as np


def principal_components(matrix, count=2):
    """Project vectors on the orthogonal directions in which they vary most.

    Args:
        matrix: (V, D), float.
        count: Directions K.

    Returns:
        (V, K), around the mean of the vectors, and the share of the variance that each
        direction keeps, (K,), the greatest first. A direction's sign is chosen so that
        its number of greatest magnitude is above 0.

    Source:
        Pearson, 1901; by singular value decomposition. Departures: none.

    Example:

    >>> points, shares = principal_components(np.array([[0, 0], [3, 0], [6, 0]]))
    >>> points.shape, shares.shape
    ((3, 2), (2,))
    """
    centred = matrix - matrix.mean(axis=0)
    left, singular, right = np.linalg.svd(centred, full_matrices=False)
    greatest = np.abs(right).argmax(axis=1)[:, None]
    signs = np.sign(np.take_along_axis(right, greatest, axis=1))[:, 0]
    variances = singular**2
    total = variances.sum() or 1.0
    return (left * singular * signs)[:, :count], variances[:count] / total
