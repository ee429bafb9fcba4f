"""Which GPUs and TPUs there are."""

import functools

import keras


@functools.cache
def accelerators():
    """Names of the GPUs and TPUs that the backend sees, such as ("gpu:0",)."""
    devices = keras.distribution.list_devices()
    return tuple(device for device in devices if not device.startswith("cpu"))
