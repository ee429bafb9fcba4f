"""The machine -> the settings with which Keras trains fastest on it."""

import dataclasses
import pathlib

import keras

from keras_attention.layers.accelerators import accelerators
from keras_attention.layers.attention import fused_is_faster

# What Linux calls the processor's instructions for products of bfloat16: Intel and AMD
# (AVX-512), Intel (AMX), Arm.
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}

CPU_INFO = pathlib.Path("/proc/cpuinfo")


@dataclasses.dataclass(frozen=True)
class FastRoad:
    """What was chosen for this machine, and why."""

    dtype_policy: str
    jit_compile: bool  # for `model.compile`
    fused_attention: bool
    why: str

    def __str__(self):
        compiled = "XLA" if self.jit_compile else "no XLA"
        attention = "fused attention" if self.fused_attention else "plain attention"
        return f"{self.dtype_policy}, {compiled}, {attention}: {self.why}"


def set_fast_road() -> FastRoad:
    """Set what makes training fast on this machine, and say what that is.

    Sets Keras's global dtype policy, for layers made from now on. Whether to compile by
    XLA is for `model.compile` to be told. Fused attention takes its place by itself.

    * An accelerator: mixed_bfloat16, compiled, fused attention.
    * TensorFlow or torch on a CPU with instructions for bfloat16: mixed_bfloat16, not
      compiled, as XLA does not use these instructions well.
    * Another CPU, and JAX on any: float32, as bfloat16 is no faster there. JAX is
      compiled in any case; TensorFlow is not, as each new width of batch would be
      compiled anew.

    Returns:
        A `FastRoad` with `dtype_policy`, `jit_compile`, `fused_attention` and `why`.

    Example:

    >>> road = set_fast_road()  # prints it, too
    >>> model = Transformer.from_preset("tiny", vocab_size=100)
    >>> model.compile("adam", MaskedCrossentropy(), jit_compile=road.jit_compile)
    """
    road = choose_fast_road()
    keras.config.set_dtype_policy(road.dtype_policy)
    print(road)
    return road


def choose_fast_road() -> FastRoad:
    """The `FastRoad` of this machine; nothing is set."""
    return fast_road(
        keras.backend.backend(), accelerators(), has_bfloat16(), fused_is_faster()
    )


def fast_road(backend, accelerators, has_bfloat16, fused_attention):
    """Choose by the backend, its accelerators, and whether the CPU knows bfloat16."""
    if accelerators:
        # torch.compile, which Keras takes there, compiles anew for each width.
        dtype_policy, jit_compile = "mixed_bfloat16", backend != "torch"
        why = f"{backend} on {', '.join(accelerators)}"
    elif backend == "jax":
        dtype_policy, jit_compile = "float32", True
        why = "jax on a CPU, where XLA multiplies bfloat16 no faster than float32"
    else:
        dtype_policy = "mixed_bfloat16" if has_bfloat16 else "float32"
        jit_compile = False
        without = "" if has_bfloat16 else "out"
        why = f"{backend} on a CPU with{without} instructions for bfloat16"
    return FastRoad(dtype_policy, jit_compile, fused_attention, why)


def has_bfloat16(cpu_info=CPU_INFO):
    """Whether the processor multiplies bfloat16 in hardware, as far as can be told."""
    try:
        lines = cpu_info.read_text().splitlines()
    except OSError:  # not on Linux
        return False
    flags = [line for line in lines if line.startswith(("flags", "Features"))]
    return any(BFLOAT16_FLAGS & set(line.split()) for line in flags)
