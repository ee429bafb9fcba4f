"""Pictures come without a window or a global state, and whole or not at all."""

import pathlib
import sys

import pytest

from keras_attention import plots
from keras_attention.plots.figure import new_figure, save_figure


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    message = r"Bird: got no matplotlib.*transformer\[plot\]"
    with pytest.raises(ImportError, match=message):
        new_figure("Bird", 1, 1)


@pytest.fixture
def figure():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    return new_figure("Bird", 1, 1)


def test_a_figure_is_written_as_its_ending_says(figure, tmp_path):
    save_figure(figure, tmp_path / "new" / "bird.png")
    assert (tmp_path / "new" / "bird.png").read_bytes().startswith(b"\x89PNG")
    save_figure(figure, tmp_path / "bird.svg")
    assert "<svg" in (tmp_path / "bird.svg").read_text()


def test_what_was_there_stays_when_the_new_one_fails(figure, tmp_path, monkeypatch):
    save_figure(figure, tmp_path / "bird.png")
    before = (tmp_path / "bird.png").read_bytes()

    def fail(path, dpi):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(figure, tmp_path / "bird.png")
    assert (tmp_path / "bird.png").read_bytes() == before


def test_an_unknown_ending_is_named(figure, tmp_path):
    with pytest.raises(ValueError, match=r"save_figure: got .*bird\.cat, .*\.png"):
        save_figure(figure, tmp_path / "bird.cat")


def test_no_window_is_opened_and_no_backend_chosen(figure):
    from matplotlib import pyplot

    assert figure.canvas.manager is None
    assert pyplot.get_fignums() == []
    for path in pathlib.Path(plots.__file__).parent.glob("*.py"):
        code = path.read_text(encoding="utf-8")
        assert "import pyplot" not in code and "matplotlib.use" not in code
