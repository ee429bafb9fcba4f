"""A file is replaced whole or not at all."""

import os
import pathlib
import signal
import socket
import stat
import subprocess
import sys
import textwrap

import pytest

from keras_attention.files import replaced_file as module
from keras_attention.files.replaced_file import replaced_file

NAME = "best.weights.h5"


def write(path, text):
    with replaced_file(path) as aside:
        aside.write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def leftover_of(process_id, folder, host=None, name=NAME):
    """What a process leaves that dies while it writes."""
    left = folder / f".{name}.{host or socket.gethostname()}.{process_id}.partial"
    left.mkdir()
    (left / name).write_text("half")
    return left


def dead_process():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_a_new_file_appears_with_its_parents(tmp_path, kind):
    write(kind(tmp_path / "en-de" / "weights" / NAME), "new")
    assert names(tmp_path / "en-de" / "weights") == [NAME]
    assert (tmp_path / "en-de" / "weights" / NAME).read_text() == "new"


def test_a_path_without_a_folder_is_in_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with replaced_file(NAME) as aside:
        monkeypatch.chdir("/")
        aside.write_text("new")
    assert (tmp_path / NAME).read_text() == "new"


def test_an_old_file_is_replaced_and_nothing_is_left_beside(tmp_path):
    write(tmp_path / NAME, "old")
    with replaced_file(tmp_path / NAME) as aside:
        aside.write_text("new")
        (aside.parent / "of the work").touch()
        assert (tmp_path / NAME).read_text() == "old"
    assert names(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_text() == "new"


def test_while_it_is_written_it_has_its_name_and_is_not_found_by_it(tmp_path):
    with replaced_file(tmp_path / NAME) as aside:
        aside.write_text("half")
        assert aside.name == NAME
        assert not list(tmp_path.glob("*.weights.h5"))
        assert all(name.startswith(".") for name in names(tmp_path))


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt("enough")])
def test_a_failure_leaves_the_old_file_and_nothing_beside(tmp_path, error):
    write(tmp_path / NAME, "old")
    with pytest.raises(type(error), match=str(error)):
        with replaced_file(tmp_path / NAME) as aside:
            aside.write_text("half")
            raise error
    assert names(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_text() == "old"


def test_a_full_disk_leaves_the_old_file_and_nothing_beside(tmp_path):
    write(tmp_path / NAME, "old")
    with pytest.raises(OSError, match="No space left"):
        with replaced_file(tmp_path / NAME) as aside:
            aside.symlink_to("/dev/full")
            aside.write_text("new")
    assert names(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_text() == "old"


def test_a_block_that_writes_nothing_is_refused(tmp_path):
    write(tmp_path / NAME, "old")
    with pytest.raises(FileNotFoundError, match=NAME):
        with replaced_file(tmp_path / NAME):
            pass
    assert names(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_text() == "old"


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(IsADirectoryError, match=NAME):
        write(tmp_path / NAME, "new")
    assert names(tmp_path) == [NAME]
    assert (tmp_path / NAME).is_dir()


def test_it_reaches_the_disk_before_it_is_renamed(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, pathlib.Path.replace

    def record_fsync(descriptor):
        done.append("disk")
        return fsync(descriptor)

    def record_replace(path, target):
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(module.os, "fsync", record_fsync)
    monkeypatch.setattr(module.pathlib.Path, "replace", record_replace)
    write(tmp_path / NAME, "new")
    assert done == ["disk", "rename", "disk"]


KILLED = """
    import os, signal
    from keras_attention.files.replaced_file import replaced_file
    with replaced_file({path!r}) as aside:
        aside.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_the_old_file_and_the_next_one_cleans_up(tmp_path):
    write(tmp_path / NAME, "old")
    program = textwrap.dedent(KILLED.format(path=str(tmp_path / NAME)))
    process = subprocess.run([sys.executable, "-c", program])
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / NAME).read_text() == "old"
    assert len(names(tmp_path)) == 2
    write(tmp_path / NAME, "new")
    assert names(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_text() == "new"


def test_what_an_earlier_process_of_this_number_left_is_no_hindrance(tmp_path):
    leftover_of(os.getpid(), tmp_path)
    write(tmp_path / NAME, "new")
    assert names(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_text() == "new"


def test_what_a_process_at_work_writes_is_left_to_it(tmp_path):
    left = leftover_of(os.getppid(), tmp_path)
    write(tmp_path / NAME, "new")
    assert (left / NAME).read_text() == "half"


def test_what_another_machine_writes_is_left_to_it(tmp_path):
    left = leftover_of(dead_process(), tmp_path, host="elsewhere")
    write(tmp_path / NAME, "new")
    assert (left / NAME).read_text() == "half"


def test_what_a_dead_process_left_of_another_file_is_removed(tmp_path):
    leftover_of(dead_process(), tmp_path, name="2-" + NAME)
    write(tmp_path / NAME, "new")
    assert names(tmp_path) == [NAME]


def test_hidden_folders_of_others_are_left_alone(tmp_path):
    others = [".git", f".1.{dead_process()}.partial", f"{socket.gethostname()}.partial"]
    for name in others:
        (tmp_path / name).mkdir()
    write(tmp_path / NAME, "new")
    assert names(tmp_path) == sorted([NAME, *others])


def test_two_files_of_a_folder_are_written_at_once(tmp_path):
    with replaced_file(tmp_path / "1") as one, replaced_file(tmp_path / "2") as two:
        one.write_text("one")
        two.write_text("two")
    assert names(tmp_path) == ["1", "2"]
    assert (tmp_path / "1").read_text() == "one"
    assert (tmp_path / "2").read_text() == "two"


def test_the_file_may_be_read_by_whom_the_umask_lets(tmp_path):
    write(tmp_path / NAME, "new")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o666 & ~mask


def test_behind_a_link_the_file_that_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link.txt").symlink_to("real")
    with replaced_file(tmp_path / "link.txt") as aside:
        assert aside.name == "link.txt"
        aside.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.txt", "real"]
