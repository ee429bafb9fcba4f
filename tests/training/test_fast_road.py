import keras
import pytest

import keras_attention as ka
from keras_attention.layers.accelerators import accelerators
from keras_attention.layers.attention import fused_is_faster
from keras_attention.training.fast_road import fast_road, has_bfloat16


def choice(backend, accelerators, has_bfloat16):
    road = fast_road(backend, accelerators, has_bfloat16, False)
    return road.dtype_policy, road.jit_compile


@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_an_accelerator_gets_bfloat16_and_is_compiled_for(has_bfloat16):
    gpu = ["gpu:0"]
    assert choice("jax", gpu, has_bfloat16) == ("mixed_bfloat16", True)
    assert choice("torch", gpu, has_bfloat16) == ("mixed_bfloat16", False)
    assert choice("tensorflow", gpu, has_bfloat16) == ("mixed_bfloat16", True)


def test_a_cpu_gets_bfloat16_only_where_it_is_faster():
    assert choice("tensorflow", [], True) == ("mixed_bfloat16", False)
    assert choice("tensorflow", [], False) == ("float32", False)
    assert choice("torch", [], True) == ("mixed_bfloat16", False)
    assert choice("jax", [], True) == ("float32", True)


def test_it_says_what_it_chose_and_why(capsys):
    road = fast_road("jax", ["gpu:0", "gpu:1"], False, True)
    assert str(road) == ("mixed_bfloat16, XLA, fused attention: jax on gpu:0, gpu:1")
    road = ka.set_fast_road()
    assert str(road) in capsys.readouterr().out


def test_it_sets_what_it_chose_for_this_machine():
    road = ka.set_fast_road()
    assert keras.config.dtype_policy().name == road.dtype_policy
    backend = keras.backend.backend()
    machine = accelerators(), has_bfloat16(), fused_is_faster()
    assert road == fast_road(backend, *machine)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16 rdpid\n", True),
        ("flags : fpu amx_tile amx_bf16", True),
        ("Features\t: fp asimd svebf16", True),
        ("flags : fpu avx2 avx512f", False),
        ("model name : bf16\nflags : sse", False),
        ("", False),
    ],
)
def test_the_processor_is_asked_for_products_of_bfloat16(tmp_path, text, expected):
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert has_bfloat16(path) == expected


def test_a_machine_that_does_not_tell_is_taken_to_have_none(tmp_path):
    assert not has_bfloat16(tmp_path / "missing")
