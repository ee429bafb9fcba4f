"""Arrays and facts come back to the bit, and a damaged file is told."""

import pathlib
import zipfile

import ml_dtypes
import numpy as np
import pytest

from keras_attention.training.state_file import (
    FORM,
    read_arrays,
    read_facts,
    write_state,
)

ARRAYS = [
    np.arange(6, dtype="float32").reshape(2, 3),
    np.array([1.5, -np.inf, np.nan], ml_dtypes.bfloat16),
    np.array(7, "int64"),
    np.array(2.5, ml_dtypes.bfloat16),
    np.zeros((0, 5), "float64"),
    np.array([3, 2**32 - 1], "uint32"),
    np.arange(12, dtype="float32").reshape(3, 4).T,
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state"


def same(one, other):
    """Whether two arrays are alike to the bit."""
    return (one.dtype, one.shape, one.tobytes()) == (
        other.dtype,
        other.shape,
        other.tobytes(),
    )


def test_arrays_of_all_dtypes_come_back_to_the_bit(path):
    write_state(path, {}, iter(ARRAYS))
    back = list(read_arrays(path))
    assert len(back) == len(ARRAYS)
    assert all(same(one, other) for one, other in zip(back, ARRAYS))


def test_facts_come_back_with_every_digit(path):
    facts = {"loss": [0.1, 1 / 3, float("inf")], "names": ["a", None], "done": False}
    write_state(path, {**facts, "of numpy": np.float32(0.5)}, [])
    assert read_facts(path) == {**facts, "of numpy": 0.5}
    assert list(read_arrays(path)) == []


def test_it_is_an_npz_that_numpy_reads(path):
    write_state(path, {}, ARRAYS)
    with np.load(path) as file:
        assert same(file["0"], ARRAYS[0])
        assert same(file["1"].view(ml_dtypes.bfloat16), ARRAYS[1])


def test_each_flipped_bit_is_told_or_changes_nothing(path):
    write_state(path, {"epoch": 3}, ARRAYS[:2])
    whole = path.read_bytes()
    told = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            facts, back = read_facts(path), list(read_arrays(path))
        except ValueError as error:
            told += str(path) in str(error)
        else:
            assert facts == {"epoch": 3}
            assert all(same(one, other) for one, other in zip(back, ARRAYS[:2]))
    assert told > len(whole) / 2


def test_a_file_cut_off_is_told(path):
    write_state(path, {"epoch": 3}, ARRAYS)
    whole = path.read_bytes()
    for length in range(0, len(whole), 50):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=f"got {path}, but it cannot be read"):
            read_facts(path)


def test_another_file_is_told(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("facts.json", "[]")
    with pytest.raises(ValueError, match="cannot be read as a state .*something else"):
        read_facts(path)


def test_a_state_of_another_form_is_told(path):
    write_state(path, {}, [])
    with zipfile.ZipFile(path) as file:
        text = file.read("facts.json").replace(FORM.encode(), b"later form 2")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("facts.json", text)
    message = f"got {path}, a 'later form 2', but this version reads a '{FORM}'"
    with pytest.raises(ValueError, match=message):
        read_facts(path)
    with pytest.raises(ValueError, match=message):
        list(read_arrays(path))


def test_a_file_that_is_not_there_is_no_damaged_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_facts(tmp_path / "none")


@pytest.mark.skipif(
    not pathlib.Path("/dev/full").exists(), reason="needs Linux's /dev/full"
)
def test_a_full_disk_is_an_error_of_the_system():
    with pytest.raises(OSError, match="No space left on device"):
        write_state("/dev/full", {}, ARRAYS)
