"""What every model has that is saved as the arguments it was built of."""

import keras


class ConfiguredModel(keras.Model):
    """A functional Keras model that is saved by its arguments, and not by its graph.

    Models of this kind keep the arguments of their constructor in `config`, all but
    `dtype` and `name`, and their `dtype_policy`. Saved with them is which of their
    layers are not trained, but not which parts of such a layer.
    """

    def get_config(self):
        policy = keras.dtype_policies.serialize(self.dtype_policy)
        frozen = frozen_layers(self)
        return {**self.config, "dtype": policy, "name": self.name, "frozen": frozen}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        arguments = dict(config)
        frozen = arguments.pop("frozen", [])
        return freeze(cls(**arguments), frozen)


def frozen_layers(model):
    """Names of the layers of a model that are not trained."""
    return [layer.name for layer in model.layers if not layer.trainable]


def freeze(model, names):
    """Return a model whose layers of these names are not trained; it neither, if all."""
    for layer in model.layers:
        if layer.name in names:
            layer.trainable = False
    if len(frozen_layers(model)) == len(model.layers):
        model.trainable = False
    return model
