import keras

from keras_attention.layers.accelerators import accelerators


def test_they_are_the_devices_that_are_no_processor():
    found, every = accelerators(), keras.distribution.list_devices()
    assert set(found) == {d for d in every if d.split(":")[0] != "cpu"}
    assert any(d.startswith("cpu") for d in every) or len(found) == len(every)
