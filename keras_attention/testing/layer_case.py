"""How to make a layer and inputs for it -> models of it that can be asked."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
from keras import ops


def call_layer(layer, *tensors):
    return layer(*tensors)


@dataclasses.dataclass(frozen=True)
class LayerCase:
    """How to make one layer and valid inputs for it.

    Attributes:
        layer: Its class, or a function that makes it.
        options: What it is made with.
        shapes: One for each input: (B, T, D) of vectors, or (B, T) of token ids.
        connect: `(layer, *inputs) -> outputs (B, T, D)`.
        sees_future: An output may depend on later positions of the first input.
        num_ids: Token ids are drawn from 1 to this, itself left out.
    """

    layer: Callable
    options: dict = dataclasses.field(default_factory=dict)
    shapes: tuple = ((2, 5, 12),)
    connect: Callable = call_layer
    sees_future: bool = False
    num_ids: int = 13

    def are_ids(self, shape):
        """Whether an input of this shape holds ids, and no vectors."""
        return len(shape) == 2

    def make(self, **kwargs):
        return self.layer(**self.options, **kwargs)

    def inputs(self, seed=0, lengths=None):
        """NumPy arrays, one for each input; `lengths` instead of the case's own."""
        rng = np.random.default_rng(seed)
        shapes = self.shapes
        if lengths is not None:
            shapes = [(s[0], n, *s[2:]) for s, n in zip(shapes, lengths)]
        return [
            rng.integers(1, self.num_ids, shape).astype("int32")
            if self.are_ids(shape)
            else rng.normal(size=shape).astype("float32")
            for shape in shapes
        ]

    def symbolic_inputs(self):
        """Inputs whose batch and length are unknown."""
        return [
            keras.Input(
                (None, *shape[2:]), dtype="int32" if self.are_ids(shape) else None
            )
            for shape in self.shapes
        ]

    def model(self, layer=None, **kwargs):
        """A functional model of the layer alone; batch and length unknown."""
        inputs = self.symbolic_inputs()
        return keras.Model(inputs, self.connect(layer or self.make(**kwargs), *inputs))

    def masked_model(self, **kwargs):
        """(inputs, their masks) -> outputs, and the mask that these carry."""
        inputs = self.symbolic_inputs()
        masks = [keras.Input((None,), dtype="bool") for _ in inputs]
        outputs = self.connect(self.make(**kwargs), *map(carry, inputs, masks))
        return keras.Model([inputs, masks], [outputs, CarriedMask()(outputs)])


def carry(x, mask):
    """The same values, carrying the mask as an embedding would hand it on."""
    return keras.layers.Lambda(
        lambda pair: pair[0], mask=lambda pair, previous: pair[1], dtype=x.dtype
    )([x, mask])


class CarriedMask(keras.layers.Layer):
    """Vectors (B, T, D) -> the mask (B, T) that came with them, -1 where none did."""

    def __init__(self):
        super().__init__()
        self.supports_masking = True  # for Keras warns of layers that drop one

    def call(self, x, mask=None):
        if mask is None:
            return -ops.ones(ops.shape(x)[:2], "int32")
        return ops.cast(mask, "int32")

    def compute_output_spec(self, x, mask=None):
        return keras.KerasTensor(x.shape[:2], "int32")


def random_masks(case, seed=3):
    """True = may attend: one for each input, the same for inputs of one length."""
    rng = np.random.default_rng(seed)
    masks = {}
    for batch, length, *_ in case.shapes:
        mask = rng.random((batch, length)) < 0.6
        mask[:, 0] = True
        mask[0, 1:3] = [False, True]
        masks.setdefault(length, mask)
    return [masks[shape[1]] for shape in case.shapes]


def numpy(x):
    """Any float tensor -> a float32 array, which NumPy can compare."""
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def same_draws(model):
    """Make `run(inputs)`: the model in training, dropping the same units each time."""
    states = model.non_trainable_variables
    start = [(state, ops.convert_to_numpy(state)) for state in states]

    def run(inputs):
        keras.utils.set_random_seed(5)  # torch drops by its own global state
        for state, value in start:
            state.assign(value)
        return numpy(model(inputs, training=True))

    return run
