"""Which GPUs and TPUs there are."""

import functools

import keras
from keras import ops


@functools.cache
def accelerators():
    """Names of the GPUs and TPUs that the backend sees, such as ("gpu:0",).

    For torch, of which Keras lists no devices, the one that Keras computes on.
    """
    if keras.backend.backend() == "torch":
        devices = [str(ops.convert_to_tensor(0.0).device)]
    else:
        devices = keras.distribution.list_devices()
    return tuple(device for device in devices if not device.startswith("cpu"))
