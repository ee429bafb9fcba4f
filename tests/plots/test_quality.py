import numpy as np
import pytest

from keras_attention.plots.quality import means_by_length, plot_quality_by_length

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

LENGTHS = np.array([3, 3, 4, 9, 9, 9, 20])
SCORES = np.array([80.0, 70, 60, 50, 50, 20, 10])


def test_means_are_those_of_sentences_of_like_length():
    at, means, errors = means_by_length(LENGTHS, SCORES, 3)
    np.testing.assert_allclose(at, [10 / 3, 9, 20])
    np.testing.assert_allclose(means, [70, 40, 10])
    np.testing.assert_allclose(errors, [np.sqrt(200 / 9), np.sqrt(200 / 3), 0])


def test_sentences_of_one_length_are_never_parted():
    at, means, _ = means_by_length(np.full(5, 7.0), np.arange(5.0), 3)
    np.testing.assert_array_equal(at, [7])
    np.testing.assert_array_equal(means, [2])


def test_each_system_is_drawn_with_its_name():
    systems = {"beam": SCORES, "greedy": SCORES - 5}
    figure = plot_quality_by_length(LENGTHS, systems, bins=3, measure="chrF")
    above, below = figure.axes
    assert [text.get_text() for text in above.get_legend().texts] == ["beam", "greedy"]
    assert above.get_ylabel() == "chrF"
    points = [container[0].get_ydata() for container in above.containers]
    np.testing.assert_allclose(points[0] - points[1], 5)
    assert sum(bar.get_height() for bar in below.patches) == len(LENGTHS)


def test_one_system_needs_no_name():
    assert plot_quality_by_length([1, 2], [3, 4]).axes[0].get_legend() is None


@pytest.mark.parametrize(
    "lengths, scores, message",
    [
        ([], [], r"lengths of shape \(0,\)"),
        ([1, 2], [1], r"lengths of shape \(2,\) and scores of shape \(1,\)"),
        ([1, 2], {"a": [1, 2], "b": [1]}, r"\(2,\), \(1,\)"),
        ([1, 2], {}, "scores of shape nothing"),
        ([1, 2], [1, float("nan")], "no finite number"),
    ],
)
def test_what_has_no_mean_is_refused(lengths, scores, message):
    with pytest.raises(ValueError, match=f"plot_quality_by_length: .*{message}"):
        plot_quality_by_length(lengths, scores)
