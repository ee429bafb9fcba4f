"""A layer that encodes positions -> a picture of the encodings and their likeness."""

import numpy as np
from keras import ops

from keras_attention.layers.requirements import require_positive
from keras_attention.plots.figure import new_figure


def plot_positions(position, length=64, d_model=64):
    """Draw what is added to each position, and how alike the positions become.

    Args:
        position: A `PositionalEncoding`, a `LearnedPositionalEncoding`, or another
            layer that adds to each vector what depends on its position alone.
        length: T, positions to draw.
        d_model: D, width of the vectors; for a layer that is built, the width that it
            was built for.

    Returns:
        `matplotlib.figure.Figure`: on the left the encodings, a row for each position;
        on the right the cosine of the angle between each two of them, from -1 to 1.

    Raises:
        ValueError: For a length or width below 1, or a length beyond the layer's.
        ImportError: If matplotlib is not installed.

    Source:
        Vaswani et al., 2017, section 3.5, of which it shows the equation.

    Example:

    >>> len(plot_positions(PositionalEncoding(), length=10, d_model=12).axes)
    4
    """
    require_positive("plot_positions", length=length, d_model=d_model)
    figure = new_figure("plot_positions", 10, 4.5)
    encodings = position(np.zeros((1, length, d_model), "float32"))[0]
    encodings = ops.convert_to_numpy(ops.cast(encodings, "float32"))  # (T, D)
    left, right = figure.subplots(1, 2)
    largest = np.abs(encodings).max() or 1.0
    image = left.imshow(encodings, "RdBu", aspect="auto", vmin=-largest, vmax=largest)
    left.set(title="Encodings", xlabel="dimension", ylabel="position")
    figure.colorbar(image, ax=left, label="what is added")
    image = right.imshow(cosines(encodings), "RdBu", vmin=-1, vmax=1)
    right.set(title="Likeness of positions", xlabel="position", ylabel="position")
    figure.colorbar(image, ax=right, label="cosine", shrink=0.8)
    return figure


def cosines(vectors):
    """Cosines of the angles between vectors (T, D): (T, T), 0 for a vector of zeros.

    Example:

    >>> cosines(np.array([[1.0, 1.0], [0.0, 2.0], [0.0, 0.0]])).shape
    (3, 3)
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    directions = vectors / np.where(lengths, lengths, 1.0)
    return directions @ directions.T
