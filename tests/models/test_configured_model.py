import keras

from keras_attention.models.configured_model import ConfiguredModel


@keras.saving.register_keras_serializable(package="keras_attention_tests")
class Doubled(ConfiguredModel):
    """A layer of some units, built twice as wide."""

    def __init__(self, units, dtype=None, name="doubled"):
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        x = keras.Input((3,))
        dense = keras.layers.Dense(2 * units, dtype=policy, name="dense")
        super().__init__(x, dense(x), name=name)
        self.config = {"units": units}
        self.dtype_policy = policy


def test_a_model_is_built_of_its_arguments_again():
    model = Doubled(5, dtype="mixed_bfloat16", name="mine")
    config = keras.saving.serialize_keras_object(model)
    assert set(config["config"]) == {"units", "dtype", "name"}
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is Doubled and again.output.shape == (None, 10)
    assert again.get_config() == model.get_config()
    assert [w.path for w in again.weights] == [w.path for w in model.weights]


def test_a_copy_of_a_model_that_was_made_without_a_policy_keeps_the_one_of_its_day():
    keras.config.set_dtype_policy("mixed_bfloat16")
    config = Doubled(5).get_config()
    keras.config.set_dtype_policy("float32")
    assert Doubled.from_config(config).dtype_policy.name == "mixed_bfloat16"
