"""What came of a search can be read, drawn and used."""

import dataclasses
import sys

import pytest

from keras_attention.tuning.result import TuningResult, TuningRow

SETTINGS = {"d_model": 8, "num_heads": 2, "peak_rate": 0.00123456, "norm_first": False}
ROWS = [
    TuningRow("2", "COMPLETED", 1.25, 1234, {**SETTINGS, "d_model": 16}),
    TuningRow("0", "COMPLETED", 2.5, 789, SETTINGS),
    TuningRow("1", "FAILED", None, 789, SETTINGS, "diverged: the loss is nan"),
]


def result(rows=ROWS):
    return TuningResult("val_loss", list(rows), load=lambda row: f"model {row.trial}")


def test_the_table_shows_what_differs_and_why_a_trial_failed():
    assert str(result()).splitlines() == [
        "trial  val_loss  parameters  d_model",
        "    2    1.2500       1,234       16",
        "    0    2.5000         789        8",
        "    1    failed         789        8",
        "all: num_heads 2, peak_rate 0.00123, norm_first False",
        "1: diverged: the loss is nan",
    ]


def test_the_best_is_there_with_its_settings():
    assert result().best_settings == {**SETTINGS, "d_model": 16}
    assert result().best_model() == "model 2"


def test_where_nothing_was_completed_one_is_told_why():
    message = r"TuningResult: got 1 trials, but none.*\(1: diverged: the loss is nan\)"
    with pytest.raises(RuntimeError, match=message):
        result(ROWS[2:]).best_settings
    with pytest.raises(RuntimeError, match=r"got 0 trials.*what the workers print"):
        result([]).best_model()
    assert str(result([])) == "trial  val_loss  parameters"


@pytest.mark.parametrize("rows", [ROWS, ROWS[2:], []], ids=["some", "failed", "none"])
def test_a_plot_is_drawn(rows, tmp_path):
    pytest.importorskip("matplotlib")
    result(rows).plot(tmp_path / "plots" / "search.png")
    picture = (tmp_path / "plots" / "search.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 1000


def test_every_setting_that_differs_has_a_panel(tmp_path):
    pytest.importorskip("matplotlib")
    other = dataclasses.replace(ROWS[1], settings={name: 0 for name in SETTINGS})
    result([ROWS[0], other]).plot(tmp_path / "search.svg")
    assert (tmp_path / "search.svg").stat().st_size > 1000


def test_without_matplotlib_one_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"TuningResult: got no matplotlib.*\[plot\]"):
        result().plot(tmp_path / "search.png")
