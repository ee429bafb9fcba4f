import keras
import pytest

from keras_attention.models.configured_model import (
    ConfiguredModel,
    freeze,
    frozen_layers,
)


@keras.saving.register_keras_serializable(package="keras_attention_tests")
class Doubled(ConfiguredModel):
    """A layer of some units, built twice as wide."""

    def __init__(self, units, dtype=None, name="doubled"):
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        x = keras.Input((3,), name="input")
        dense = keras.layers.Dense(2 * units, dtype=policy, name="dense")
        super().__init__(x, dense(x), name=name)
        self.config = {"units": units}
        self.dtype_policy = policy


def test_a_model_is_built_of_its_arguments_again():
    model = Doubled(5, dtype="mixed_bfloat16", name="mine")
    config = keras.saving.serialize_keras_object(model)
    assert set(config["config"]) == {"units", "dtype", "name", "frozen"}
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is Doubled and again.output.shape == (None, 10)
    assert again.get_config() == model.get_config()
    assert [w.path for w in again.weights] == [w.path for w in model.weights]


@pytest.mark.parametrize("names", [[], ["dense"], ["input", "dense"]])
def test_what_is_not_trained_stays_so(names, tmp_path):
    model = freeze(Doubled(5), names)
    assert frozen_layers(model) == names
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert frozen_layers(again) == names
    assert again.trainable is ("input" not in names)
    assert len(again.trainable_variables) == (0 if names else 2)


def test_a_model_that_is_not_trained_stays_so(tmp_path):
    model = Doubled(5)
    model.trainable = False
    assert not Doubled.from_config(model.get_config()).trainable


def test_a_copy_of_a_model_that_was_made_without_a_policy_keeps_the_one_of_its_day():
    keras.config.set_dtype_policy("mixed_bfloat16")
    config = Doubled(5).get_config()
    keras.config.set_dtype_policy("float32")
    assert Doubled.from_config(config).dtype_policy.name == "mixed_bfloat16"
