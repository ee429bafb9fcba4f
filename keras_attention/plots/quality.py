"""Lengths and scores of sentences -> a picture of how quality goes with length."""

import numpy as np

from keras_attention.layers.requirements import require_positive
from keras_attention.plots.figure import new_figure


def plot_quality_by_length(lengths, scores, bins=8, measure="score"):
    """Draw the mean score of sentences of like length, the shortest first.

    Args:
        lengths: B numbers above 0, such as pieces of each source sentence.
        scores: B numbers, a sentence's score each, such as its chrF; or several
            systems' {name: B numbers} on the same sentences.
        bins: Groups of sentences, as equal in number as equal lengths allow.
        measure: What the scores are, for the axis.

    Returns:
        `matplotlib.figure.Figure`: above, each group's mean score at its mean length,
        with an error of the mean (the standard deviation over the root of the number)
        to each side; below, how many sentences have which length.

    Raises:
        ValueError: If there are no sentences, not as many scores, or a number is not
            finite.
        ImportError: If matplotlib is not installed.

    Source:
        The form is that of Bahdanau et al., 2015, figure 2, where lengths are words.

    Example:

    >>> figure = plot_quality_by_length([3, 4, 8, 9], [70.0, 68.0, 55.0, 53.0], bins=2)
    >>> figure.axes[0].get_ylabel(), figure.axes[1].get_ylabel()
    ('score', 'sentences')
    """
    require_positive("plot_quality_by_length", bins=bins)
    systems = scores if isinstance(scores, dict) else {None: scores}
    lengths = np.asarray(lengths, "float64")
    systems = {name: np.asarray(one, "float64") for name, one in systems.items()}
    require_pairs(lengths, systems)
    figure = new_figure("plot_quality_by_length", 7, 5)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    for name, one in systems.items():
        at, means, errors = means_by_length(lengths, one, bins)
        above.errorbar(at, means, errors, label=name, marker="o", capsize=3)
    above.set_ylabel(measure)
    above.grid(alpha=0.3)
    if None not in systems:
        above.legend()
    below.hist(lengths, bins=min(40, len(np.unique(lengths))), color="0.6")
    below.set(xlabel="length", ylabel="sentences")
    return figure


def means_by_length(lengths, scores, bins):
    """Put sentences of like length together, and take the means.

    Args:
        lengths, scores: (B,), float.
        bins: Groups at most; sentences of one length are in one group.

    Returns:
        Mean lengths, mean scores and the errors of these, one of each for a group;
        the error of a single sentence is 0.

    Example:

    >>> tuple(means_by_length(np.array([1, 1, 5]), np.array([2, 4, 9]), 2)[1].tolist())
    (3.0, 9.0)
    """
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, bins + 1)[1:-1]))
    group_of = np.searchsorted(edges, lengths)
    groups = [np.flatnonzero(group_of == group) for group in np.unique(group_of)]
    return tuple(
        np.array([mean(rows) for rows in groups])
        for mean in (
            lambda rows: lengths[rows].mean(),
            lambda rows: scores[rows].mean(),
            lambda rows: scores[rows].std() / np.sqrt(len(rows)),
        )
    )


def require_pairs(lengths, systems):
    """Raise ValueError unless each sentence has a length and a score of each system."""
    shapes = [scores.shape for scores in systems.values()]
    if lengths.ndim != 1 or not len(lengths) or set(shapes) != {lengths.shape}:
        raise ValueError(
            f"plot_quality_by_length: got lengths of shape {lengths.shape} and scores "
            f"of shape {', '.join(map(str, shapes)) or 'nothing'}, but each sentence "
            f"has one of each. Give lists of the same length."
        )
    if not all(np.isfinite(numbers).all() for numbers in (lengths, *systems.values())):
        raise ValueError(
            "plot_quality_by_length: got a length or a score that is no finite number, "
            "but a mean needs numbers. Leave such sentences out."
        )
