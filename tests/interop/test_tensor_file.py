"""Tensors come back as they were written, and what can not be read is named."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from keras_attention.interop.tensor_file import (
    find_tensor_file,
    read_tensors,
    write_tensors,
)

pytest.importorskip("safetensors", reason="Marian's weights need safetensors")


def some_tensors():
    values = np.arange(6, dtype="float32").reshape(2, 3)
    return {"matrix": values.T, "half": values[0].astype("float16")}


def test_what_is_written_is_read_in_float32(tmp_path):
    path = tmp_path / "model.safetensors"
    write_tensors("test", path, some_tensors())
    found = read_tensors("test", path)
    assert set(found) == {"matrix", "half"}
    for name, expected in some_tensors().items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], expected)


def test_bfloat16_is_read(tmp_path):
    """Written by hand, as NumPy alone has no such numbers."""
    path = tmp_path / "model.safetensors"
    layout = {"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    header = json.dumps(layout).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\x80\x3f\x00\x40")
    assert read_tensors("load", path)["x"].tolist() == [1, 2]


def test_a_file_cut_short_is_named(tmp_path):
    path = tmp_path / "model.safetensors"
    write_tensors("load", path, some_tensors())
    path.write_bytes(path.read_bytes()[:-3])
    message = "load: got the file .*model.safetensors, but it can not be read .*cut off"
    with pytest.raises(ValueError, match=message):
        read_tensors("load", path)


def test_safetensors_go_before_the_format_of_torch(tmp_path):
    (tmp_path / "pytorch_model.bin").touch()
    assert find_tensor_file("load", tmp_path).name == "pytorch_model.bin"
    (tmp_path / "model.safetensors").touch()
    assert find_tensor_file("load", tmp_path).name == "model.safetensors"


def test_a_folder_without_weights_is_named(tmp_path):
    message = "load: got the folder .*, but it has no model.safetensors and no pytorch"
    with pytest.raises(FileNotFoundError, match=message):
        find_tensor_file("load", tmp_path)


def test_the_format_of_torch_without_torch_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "pytorch_model.bin"
    path.touch()
    monkeypatch.setitem(sys.modules, "torch", None)
    message = "load: got no torch, but needs it to read pytorch_model.bin. Run: pip"
    with pytest.raises(ImportError, match=message):
        read_tensors("load", path)


SAVE = """
import sys, torch
half = torch.arange(3.0).to(torch.bfloat16)
torch.save({"matrix": torch.arange(6.0).reshape(2, 3).T, "half": half}, sys.argv[1])
"""


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_the_format_of_torch_is_read_where_torch_is_installed(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    subprocess.run([sys.executable, "-c", SAVE, str(path)], check=True)
    found = read_tensors("load", path)
    for name, expected in some_tensors().items():
        np.testing.assert_array_equal(found[name], expected)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="load: got the file .*bin, but it can not be"):
        read_tensors("load", path)


def test_without_safetensors_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    message = "save: got no safetensors, but needs it to write a.bird. Run: pip install"
    with pytest.raises(ImportError, match=message):
        write_tensors("save", tmp_path / "a.bird", some_tensors())
