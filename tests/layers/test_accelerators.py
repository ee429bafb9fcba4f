import keras
import pytest

from keras_attention.layers.accelerators import accelerators


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras lists no devices of torch"
)
def test_they_are_the_devices_that_are_no_processor():
    found, every = accelerators(), keras.distribution.list_devices()
    assert set(found) == {d for d in every if d.split(":")[0] != "cpu"}
    assert any(d.startswith("cpu") for d in every) or len(found) == len(every)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="needs torch")
def test_on_torch_it_is_the_one_that_keras_computes_on():
    import torch

    assert bool(accelerators()) == torch.cuda.is_available()
