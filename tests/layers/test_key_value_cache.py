import numpy as np
import pytest
from keras import ops
from references import numpy, vectors

from keras_attention.layers.key_value_cache import empty_cache, extend_cache

R, N, T, H = 5, 3, 7, 4


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_empty_cache_has_room_for_every_token_of_every_row(dtype):
    cache = empty_cache(R, T, N, H, dtype)
    assert set(cache) == {"key", "value"}
    for room in cache.values():
        assert tuple(room.shape) == (R, N, T, H)
        assert ops.dtype(room) == dtype
        assert not numpy(room).any()


@pytest.mark.parametrize("index", [0, 3, T - 1])
@pytest.mark.parametrize("kind", ["int", "tensor"])
def test_extending_writes_one_position_and_keeps_the_others(index, kind):
    key, value = vectors(R, N, T, H, seed=0), vectors(R, N, T, H, seed=1)
    new_key, new_value = vectors(R, N, 1, H, seed=2), vectors(R, N, 1, H, seed=3)
    position = index if kind == "int" else ops.convert_to_tensor(index, "int32")
    extended = extend_cache({"key": key, "value": value}, position, new_key, new_value)
    key[:, :, index], value[:, :, index] = new_key[:, :, 0], new_value[:, :, 0]
    np.testing.assert_array_equal(numpy(extended["key"]), key)
    np.testing.assert_array_equal(numpy(extended["value"]), value)
