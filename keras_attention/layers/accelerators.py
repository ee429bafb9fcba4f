"""Which GPUs and TPUs there are."""

import functools

import keras


@functools.cache
def accelerators():
    """Names of the GPUs and TPUs that the backend sees, such as ("gpu:0",)."""
    if keras.backend.backend() == "torch":  # for which Keras lists none
        import torch

        return tuple(f"gpu:{number}" for number in range(torch.cuda.device_count()))
    devices = keras.distribution.list_devices()
    return tuple(device for device in devices if not device.startswith("cpu"))
