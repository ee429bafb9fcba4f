"""The mean of saved weights, by the numbers, and what can be wrong with the files."""

import shutil
import tracemalloc
import zipfile

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.training.averaging import average_checkpoints

KERNEL = "layers/dense/vars/0"
COUNT = "layers/counted/vars/0"
BATCH = {"source_ids": np.array([[5, 6, 3]]), "target_ids": np.array([[2, 4]])}

every_kind = pytest.mark.parametrize("kind", [".weights.h5", ".keras"])


@keras.saving.register_keras_serializable(package="test_averaging")
class Counted(keras.layers.Layer):
    """Nothing to do, and an integer that tells how often it was done."""

    def build(self, input_shape):
        self.count = self.add_weight(
            dtype="int32", initializer="zeros", trainable=False
        )

    def call(self, x):
        return x


def small_model(seed, units=2, dtype="float32", name="model", counted=True):
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Dense(units, dtype=dtype, bias_initializer="normal"),
        *([Counted(dtype=dtype)] if counted else []),
    ]
    model = keras.Sequential([keras.Input((3,)), *layers], name=name)
    if counted:
        layers[1].count.assign(10 + seed)
    return model


def save(model, path):
    (model.save if path.suffix == ".keras" else model.save_weights)(path)
    return path


def saved(folder, seeds, kind=".weights.h5", **options):
    """Files of models of different weights, and the models."""
    models = [small_model(seed, **options) for seed in seeds]
    paths = [folder / f"{seed}{kind}" for seed in seeds]
    return [save(model, path) for model, path in zip(models, paths)], models


def numbers(model):
    """The kernel, the bias and the count."""
    return [keras.ops.convert_to_numpy(value) for value in model.weights]


def mean(values, dtype="float32"):
    return np.mean([value.astype("float64") for value in values], axis=0).astype(dtype)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@every_kind
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_each_weight_is_the_mean_in_its_own_dtype(tmp_path, kind, dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless it is asked for at its start")
    paths, models = saved(tmp_path, [1, 2, 3], kind, dtype=dtype)
    averaged = small_model(9, dtype=dtype)
    averaged.load_weights(average_checkpoints(paths, tmp_path / f"mean{kind}"))
    for index in (0, 1):
        expected = mean([numbers(model)[index] for model in models], dtype)
        result = numbers(averaged)[index]
        assert result.dtype == expected.dtype == dtype
        np.testing.assert_array_equal(result, expected)
        assert not np.array_equal(result, numbers(models[2])[index])


@every_kind
def test_an_integer_is_taken_from_the_last_file(tmp_path, kind):
    paths, _ = saved(tmp_path, [1, 5, 3], kind)
    averaged = small_model(9)
    averaged.load_weights(average_checkpoints(paths, tmp_path / f"mean{kind}"))
    assert int(averaged.layers[1].count) == 13


def test_a_whole_model_is_loaded_from_the_mean_of_whole_models(tmp_path):
    paths, models = saved(tmp_path, [1, 2], ".keras", name="the_last_one")
    output = average_checkpoints(paths, tmp_path / "mean.keras")
    averaged = keras.saving.load_model(output)
    assert averaged.name == "the_last_one"
    np.testing.assert_array_equal(
        numbers(averaged)[0], mean([numbers(model)[0] for model in models])
    )
    with zipfile.ZipFile(paths[-1]) as last, zipfile.ZipFile(output) as archive:
        assert archive.namelist() == last.namelist()
        assert archive.read("config.json") == last.read("config.json")


def trained_transformer(folder, steps):
    """A trained model's files after each step, with what its optimizer knows."""
    model = ka.Transformer(11, 13, num_layers=1, d_model=12, num_heads=3, d_ff=24)
    model.compile("adam", ka.MaskedCrossentropy(), run_eagerly=True)
    paths = []
    for step in range(1, steps + 1):
        model.fit(BATCH, np.array([[4, 3]]), verbose=0)
        paths.append(save(model, folder / f"{step}.weights.h5"))
    return model, paths


def stored(path):
    """Every variable in a file, by its name."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


def test_the_mean_of_a_training_has_the_last_state_of_its_optimizer(tmp_path):
    model, paths = trained_transformer(tmp_path, 3)
    output = average_checkpoints(paths, tmp_path / "mean.weights.h5")
    result, files = stored(output), [stored(path) for path in paths]
    assert set(result) == set(files[-1])
    optimizer = [name for name in result if name.startswith("optimizer/")]
    assert len(optimizer) > 2 * len(model.trainable_variables)
    for name in optimizer:
        np.testing.assert_array_equal(result[name], files[-1][name])
    for name in set(result) - set(optimizer):
        expected = mean([file[name] for file in files])
        np.testing.assert_array_equal(result[name], expected)
        assert not np.array_equal(result[name], files[-1][name])
    model.load_weights(output)
    assert int(model.optimizer.iterations) == 3
    model.fit(BATCH, np.array([[4, 3]]), verbose=0)


def test_a_file_without_the_optimizer_is_averaged_with_one_that_has_it(tmp_path):
    model, (with_optimizer,) = trained_transformer(tmp_path, 1)
    plain = ka.Transformer(11, 13, num_layers=1, d_model=12, num_heads=3, d_ff=24)
    without = save(plain, tmp_path / "plain.weights.h5")
    output = average_checkpoints([with_optimizer, without], tmp_path / "a.weights.h5")
    before = [keras.ops.convert_to_numpy(model.weights[0]) for model in (model, plain)]
    plain.load_weights(output)
    result = keras.ops.convert_to_numpy(plain.weights[0])
    np.testing.assert_array_equal(result, mean(before))


def test_the_mean_of_one_file_repeated_is_that_file(tmp_path):
    (path,), (model,) = saved(tmp_path, [1])
    averaged = small_model(9)
    averaged.load_weights(average_checkpoints([path] * 7, tmp_path / "mean.weights.h5"))
    for result, expected in zip(numbers(averaged), numbers(model)):
        np.testing.assert_array_equal(result, expected)


def test_numbers_that_float32_would_lose_are_counted(tmp_path):
    paths = []
    for index, value in enumerate([1e8, 1.0, -1e8]):
        model = small_model(0)
        model.layers[0].kernel.assign(np.full((3, 2), value))
        paths.append(save(model, tmp_path / f"{index}.weights.h5"))
    output = average_checkpoints(paths, tmp_path / "mean.weights.h5")
    np.testing.assert_allclose(stored(output)[KERNEL], 1 / 3, rtol=1e-6)


def test_the_output_may_be_one_of_the_files_and_is_replaced(tmp_path):
    paths, models = saved(tmp_path, [1, 2])
    assert average_checkpoints(paths, str(paths[0])) == paths[0]
    expected = mean([numbers(model)[0] for model in models])
    np.testing.assert_array_equal(stored(paths[0])[KERNEL], expected)
    assert names(tmp_path) == ["1.weights.h5", "2.weights.h5"]


def test_a_generator_of_strings_and_a_new_folder_will_do(tmp_path):
    paths, _ = saved(tmp_path, [1, 2])
    output = tmp_path / "new" / "mean.weights.h5"
    assert average_checkpoints((str(path) for path in paths), output) == output
    assert output.is_file()


def test_memory_is_needed_for_one_variable_and_not_for_all(tmp_path):
    layers = [keras.layers.Dense(500) for _ in range(12)]
    model = keras.Sequential([keras.Input((500,)), *layers])
    paths = [save(model, tmp_path / f"{index}.weights.h5") for index in range(5)]
    tracemalloc.start()
    average_checkpoints(paths, tmp_path / "mean.weights.h5")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = 500 * 500 * 4  # bytes of one kernel
    # The sum and a summand in float64, twice as large, the summand as it is stored and
    # what is small; of one file alone the kernels would be 12.
    assert peak < 8 * size


def fails(paths, error, message, output):
    """Averaging raises, and leaves what is at `output` and nothing beside it."""
    output.write_text("the old one")
    before = names(output.parent)
    with pytest.raises(error, match=message):
        average_checkpoints(paths, output)
    assert output.read_text() == "the old one"
    assert names(output.parent) == before


def test_one_path_instead_of_a_list_is_refused(tmp_path):
    output = tmp_path / "mean.weights.h5"
    message = "average_checkpoints: got one path, '1.weights.h5', .*into a list"
    fails("1.weights.h5", TypeError, message, output)


def test_no_paths_are_refused(tmp_path):
    message = "average_checkpoints: got no paths, .*at least one"
    fails([], ValueError, message, tmp_path / "mean.weights.h5")


def test_a_missing_file_is_named(tmp_path):
    paths, _ = saved(tmp_path, [1])
    message = "got the path .*2.weights.h5, but there is no such file"
    paths = [*paths, tmp_path / "2.weights.h5"]
    fails(paths, FileNotFoundError, message, tmp_path / "mean.weights.h5")


@pytest.mark.parametrize("output", ["mean.keras", "mean.h5"])
def test_files_of_two_kinds_are_refused(tmp_path, output):
    paths, _ = saved(tmp_path, [1])
    message = rf"got 1.weights.h5, {output} \(the output last\), but .*of one kind"
    fails(paths, ValueError, message, tmp_path / output)


@every_kind
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("damage", ["nothing", "text", "half"])
def test_a_damaged_file_is_named(tmp_path, kind, place, damage):
    paths, _ = saved(tmp_path, [1, 2], kind)
    whole = paths[place].read_bytes()
    paths[place].write_bytes(
        {"nothing": b"", "text": b"not weights", "half": whole[: len(whole) // 2]}[
            damage
        ]
    )
    message = f"got the file .*{place + 1}{kind}, but no weights can be read"
    fails(paths, ValueError, message, tmp_path / f"mean{kind}")


def test_an_archive_with_a_wrong_bit_is_named(tmp_path):
    paths, _ = saved(tmp_path, [1, 2], ".keras")
    content = bytearray(paths[0].read_bytes())
    content[content.index(b"\x89HDF") + 100] ^= 1
    paths[0].write_bytes(content)
    message = "got the file .*1.keras, but no weights .*BadZipFile.*CRC"
    fails(paths, ValueError, message, tmp_path / "mean.keras")


def test_an_archive_without_weights_is_named(tmp_path):
    paths, _ = saved(tmp_path, [1], ".keras")
    with zipfile.ZipFile(tmp_path / "2.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    message = "got the file .*2.keras, but no weights .*model.weights.h5"
    paths = [*paths, tmp_path / "2.keras"]
    fails(paths, ValueError, message, tmp_path / "mean.keras")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_variable_that_a_file_lacks_is_named_with_the_file(tmp_path, order):
    (with_count,), _ = saved(tmp_path, [1])
    without = save(small_model(2, counted=False), tmp_path / "2.weights.h5")
    paths = [(with_count, without)[index] for index in order]
    message = f"got the variable {COUNT} in .*1.weights.h5 and not in .*2.weights.h5"
    fails(paths, ValueError, message, tmp_path / "mean.weights.h5")


@every_kind
def test_a_variable_of_another_shape_is_named_with_both(tmp_path, kind):
    paths, _ = saved(tmp_path, [1], kind)
    paths.append(save(small_model(2, units=5), tmp_path / f"2{kind}"))
    message = (
        rf"got the variable {KERNEL} as float32 \(3, 5\) in .*2{kind} and as "
        rf"float32 \(3, 2\) in .*1{kind}"
    )
    fails(paths, ValueError, message, tmp_path / f"mean{kind}")


def test_a_variable_of_another_dtype_is_named_with_both(tmp_path):
    paths, _ = saved(tmp_path, [1])
    paths.append(save(small_model(2, dtype="bfloat16"), tmp_path / "2.weights.h5"))
    message = rf"{KERNEL} as bfloat16 \(3, 2\) in .*2.* as float32 \(3, 2\) in .*1"
    fails(paths, ValueError, message, tmp_path / "mean.weights.h5")


@pytest.mark.parametrize("dtype", ["int8", "uint8", ml_dtypes.float8_e4m3fn])
def test_quantized_weights_are_refused(tmp_path, dtype):
    paths, _ = saved(tmp_path, [1, 2])
    for path in paths:
        with h5py.File(path, "r+") as file:
            del file[KERNEL]
            file[KERNEL] = np.ones((3, 2), dtype)
    message = rf"got the variable {KERNEL} as \w+ in .*1.weights.h5, .*quantize then"
    fails(paths, ValueError, message, tmp_path / "mean.weights.h5")


def test_a_flag_is_taken_from_the_last_file(tmp_path):
    paths, _ = saved(tmp_path, [1, 2])
    for path, flag in zip(paths, (False, True)):
        with h5py.File(path, "r+") as file:
            file["layers/dense/vars/flag"] = flag
    result = stored(average_checkpoints(paths, tmp_path / "mean.weights.h5"))
    assert result["layers/dense/vars/flag"] is np.True_


@every_kind
def test_weights_that_are_not_a_number_are_named(tmp_path, kind):
    paths, models = saved(tmp_path, [1, 2], kind)
    models[0].layers[0].kernel.assign(np.array([[1, 2], [np.nan, 4], [np.nan, 6]]))
    save(models[0], paths[0])
    message = rf"got 2 of 6 weights .*NaN.* in the variable {KERNEL} of .*1{kind}"
    fails(paths, ValueError, message, tmp_path / f"mean{kind}")


@every_kind
def test_a_failure_while_it_writes_leaves_the_old_file(tmp_path, kind, monkeypatch):
    paths, _ = saved(tmp_path, [1, 2], kind)

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fail)
    fails(paths, OSError, "No space left", tmp_path / f"mean{kind}")
