"""A folder is replaced whole or not at all."""

import os
import pathlib
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

from keras_attention.files import replaced_folder as module
from keras_attention.files.replaced_folder import replaced_folder

pytestmark = pytest.mark.tensorflow


def write(path, text):
    with replaced_folder("Test", path, ["marker"]) as aside:
        (aside / "marker").write_text(text)


def test_a_new_folder_appears_with_its_parents(tmp_path):
    write(tmp_path / "en-de" / "1", "new")
    assert (tmp_path / "en-de" / "1" / "marker").read_text() == "new"


def test_an_old_folder_of_the_kind_is_replaced_and_nothing_is_left_beside(tmp_path):
    write(tmp_path / "1", "old")
    write(tmp_path / "1", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert [path.name for path in (tmp_path / "1").iterdir()] == ["marker"]
    assert (tmp_path / "1" / "marker").read_text() == "new"


def test_a_failure_leaves_the_old_folder_and_nothing_beside(tmp_path):
    write(tmp_path / "1", "old")
    with pytest.raises(OSError, match="disk full"):
        with replaced_folder("Test", tmp_path / "1", ["marker"]) as aside:
            (aside / "marker").write_text("half")
            raise OSError("disk full")
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert (tmp_path / "1" / "marker").read_text() == "old"


def test_a_failed_rename_puts_the_old_folder_back(tmp_path, monkeypatch):
    write(tmp_path / "1", "old")
    rename = pathlib.Path.rename

    def fail_on_new(path, target):
        if path.name.endswith(".partial"):
            raise OSError("rename refused")
        return rename(path, target)

    monkeypatch.setattr(module.pathlib.Path, "rename", fail_on_new)
    with pytest.raises(OSError, match="rename refused"):
        write(tmp_path / "1", "new")
    assert (tmp_path / "1" / "marker").read_text() == "old"


def test_a_killed_process_leaves_the_old_folder(tmp_path):
    write(tmp_path / "1", "old")
    program = textwrap.dedent(f"""
        import os, signal
        from keras_attention.files.replaced_folder import replaced_folder
        with replaced_folder("Test", {str(tmp_path / "1")!r}, ["marker"]) as aside:
            (aside / "marker").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    process = subprocess.run([sys.executable, "-c", program])
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / "1" / "marker").read_text() == "old"


def test_a_server_of_another_user_may_read_the_folder(tmp_path):
    write(tmp_path / "1", "new")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "1").stat().st_mode) == 0o777 & ~mask


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "marker").write_text("old")
    (tmp_path / "thesis.tex").write_text("three years of work")
    with pytest.raises(FileExistsError, match=r"Test: got the path .*\(thesis.tex\)"):
        write(tmp_path, "new")
    assert (tmp_path / "thesis.tex").read_text() == "three years of work"
    assert (tmp_path / "marker").read_text() == "old"


def test_a_file_is_refused(tmp_path):
    (tmp_path / "1").write_text("a file")
    with pytest.raises(FileExistsError, match="that is a file"):
        write(tmp_path / "1", "new")
    assert (tmp_path / "1").read_text() == "a file"


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "1").mkdir()
    write(tmp_path / "1", "new")
    assert (tmp_path / "1" / "marker").read_text() == "new"


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "dangling"])
def test_behind_a_link_the_folder_that_it_leads_to_is_replaced(tmp_path, is_there):
    (tmp_path / "1").symlink_to(tmp_path / "real")
    if is_there:
        write(tmp_path / "real", "old")
    for text in ("new", "newer"):
        write(tmp_path / "1", text)
        assert (tmp_path / "1").is_symlink()
        assert (tmp_path / "real" / "marker").read_text() == text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "real"]
