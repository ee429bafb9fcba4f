"""Lines come from files and from standard input, and are looked for first."""

import gzip
import io
import os
import sys
import threading
import types

import pytest

from keras_attention.runs.lines import lines_of

pytestmark = pytest.mark.tensorflow


def give_input(monkeypatch, text):
    standard_input = types.SimpleNamespace(buffer=io.BytesIO(text))
    monkeypatch.setattr(sys, "stdin", standard_input)


def test_files_are_read_one_after_the_other(tmp_path):
    (tmp_path / "a").write_text("1\n\n2")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"3\r\n"))
    assert list(lines_of([tmp_path / "a", tmp_path / "b.gz"])) == ["1", "", "2", "3"]


@pytest.mark.parametrize("files", [[], ["-"]])
def test_standard_input_is_read_where_no_file_is_named(monkeypatch, files):
    give_input(monkeypatch, "가\nb\n".encode())
    assert list(lines_of(files)) == ["가", "b"]


def test_no_input_is_no_line(monkeypatch):
    give_input(monkeypatch, b"")
    assert list(lines_of([])) == []


def test_a_wrong_encoding_is_named_with_its_line(monkeypatch):
    give_input(monkeypatch, b"a\n\xff\n")
    with pytest.raises(ValueError, match="0xff in line 2 of standard input"):
        list(lines_of([]))


def test_a_missing_file_is_found_before_any_line_is_read(tmp_path):
    (tmp_path / "a").write_text("1\n")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        lines_of([tmp_path / "a", tmp_path / "nowhere"])


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(ValueError, match="got 0 lines in .*a, but"):
        lines_of([tmp_path / "a"])


def test_a_folder_is_refused_before_any_line_is_read(tmp_path):
    with pytest.raises(IsADirectoryError):
        lines_of([tmp_path])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_loses_no_line(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("1\n2\n",))
    writer.start()
    assert list(lines_of([pipe])) == ["1", "2"]
    writer.join()
