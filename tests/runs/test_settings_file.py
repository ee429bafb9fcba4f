"""What is written is read again; what nobody knows is named, and the nearest to it."""

import dataclasses
import sys

import pytest

from keras_attention.runs.settings import TrainingSettings
from keras_attention.runs.settings_file import read_settings, write_settings

FIELDS = dataclasses.fields(TrainingSettings)


def read(tmp_path, text):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return read_settings(path, FIELDS)


def test_what_is_written_is_read_again(tmp_path):
    settings = TrainingSettings('a "file"\\ü.en', "b.de", norm_first=True, d_ff=7)
    write_settings(tmp_path / "s.toml", settings, FIELDS)
    values = read_settings(tmp_path / "s.toml", FIELDS)
    assert TrainingSettings(**values) == settings
    assert "patience" not in values


def test_a_file_need_not_say_all(tmp_path):
    assert read(tmp_path, "[training]\nepochs = 3\n") == {"epochs": 3}


@pytest.mark.parametrize(
    "text, message",
    [
        ("[training]\nepoch = 3\n", r"'epoch' under \[training\].*mean 'epochs' under"),
        (
            "[model]\nepochs = 3\n",
            r"'epochs' under \[model\].*Put it under \[training\]",
        ),
        ("epochs = 3\n", r"'epochs' at the top.*Put it under \[training\]"),
        ("[modle]\nd_ff = 3\n", r"'modle' at the top.*Did you mean 'model'\?"),
        ("[model]\nzzz = 3\n", r"'zzz' under \[model\].*Known are source,"),
        ("[model\n", "can not be read as TOML"),
    ],
)
def test_a_name_that_there_is_not_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_a_byte_order_mark_is_no_setting(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("[training]\nepochs = 3\n", encoding="utf-8-sig")
    assert read_settings(path, FIELDS) == {"epochs": 3}


def test_another_encoding_is_refused(tmp_path):
    (tmp_path / "s.toml").write_bytes("[data]\nsource = 'ü'\n".encode("latin-1"))
    with pytest.raises(ValueError, match="can not be read as TOML"):
        read_settings(tmp_path / "s.toml", FIELDS)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.toml, but there is no such"):
        read_settings(tmp_path / "nowhere.toml", FIELDS)


def test_without_the_writer_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tomli_w", None)
    with pytest.raises(ImportError, match=r"pip install .*\[train\]"):
        write_settings(tmp_path / "s.toml", TrainingSettings("a"), FIELDS)
