"""A Bert, and a head on its vectors: what all such models share."""

import keras

from keras_attention.models.bert import Bert
from keras_attention.models.configured_model import freeze, frozen_layers


class BertHead(keras.Model):
    """A functional model over the inputs of a `Bert`, which it is saved together with.

    Args:
        bert: The `Bert` under the head; its layers are the model's own.
        inputs: Those of the head beside the `Bert`'s, {name: KerasTensor}.
        outputs: What the head makes of all of them.
        config: The arguments of the constructor beside `bert` and `name`; each becomes
            an attribute.

    Attributes:
        bert: The same.
    """

    def __init__(self, bert, inputs, outputs, config, **kwargs):
        super().__init__({**bert.input, **inputs}, outputs, **kwargs)
        self.bert = bert
        self.head_config = config
        self.dtype_policy = bert.dtype_policy
        for name, value in config.items():
            setattr(self, name, value)

    def get_config(self):
        bert = keras.saving.serialize_keras_object(self.bert)
        frozen = frozen_layers(self)
        return {"bert": bert, **self.head_config, "name": self.name, "frozen": frozen}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        bert = keras.saving.deserialize_keras_object(config["bert"], custom_objects)
        arguments = {**config, "bert": bert}
        frozen = arguments.pop("frozen", [])
        return freeze(cls(**arguments), frozen)


def require_bert(owner, bert):
    """Raise TypeError unless a head gets a `Bert` to stand on."""
    if not isinstance(bert, Bert):
        raise TypeError(
            f"{owner}: got bert of type {type(bert).__name__}, but the head stands on "
            f"the vectors of a Bert. Give a keras_attention.Bert, as load_bert returns."
        )


def require_names(owner, **names):
    """Return the one list of names given; raise unless it has two or more of them."""
    ((argument, given),) = names.items()
    names = [given] if isinstance(given, str) else list(given)
    if isinstance(given, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"{owner}: got {argument}={given!r}, but each of them needs a name. Give a "
            f"list of str."
        )
    if len(set(names)) < len(names) or len(names) < 2:
        raise ValueError(
            f"{owner}: got {argument}={names}, but there must be two or more, each "
            f"once, for there to be a choice. Give each a name of its own."
        )
    return names
