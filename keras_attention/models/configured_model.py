"""What every model has that is saved as the arguments it was built of."""

import keras


class ConfiguredModel(keras.Model):
    """A functional Keras model that is saved by its arguments, and not by its graph.

    Models of this kind keep the arguments of their constructor in `config`, all but
    `dtype` and `name`, and their `dtype_policy`.
    """

    def get_config(self):
        policy = keras.dtype_policies.serialize(self.dtype_policy)
        return {**self.config, "dtype": policy, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)
