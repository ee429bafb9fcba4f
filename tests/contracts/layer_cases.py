"""One row per public layer: how to make it, and valid inputs for it.

The sizes are different, so that a swapped axis cannot pass.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka

B, T, S, D, M, N, F, V = 2, 5, 7, 12, 8, 3, 11, 13

POLICIES = ["mixed_bfloat16", "mixed_float16", "bfloat16"]


def call_layer(layer, *tensors):
    return layer(*tensors)


def embed_and_project(layer, ids):
    """Both uses of the one matrix: ids (B, T) -> logits (B, T, V)."""
    return layer.project(layer(ids))


@dataclasses.dataclass(frozen=True)
class LayerCase:
    """How to make one layer and valid inputs for it."""

    layer: type
    options: dict = dataclasses.field(default_factory=dict)
    shapes: tuple = ((B, T, D),)  # one for each input; (B, T) are token ids
    characters: bool = False  # the only input is (B, T, C), and these are ids, too
    connect: Callable = call_layer
    sees_future: bool = False
    recurrent: bool = False  # a hidden position hands on what came before it

    def are_ids(self, shape):
        return self.characters or len(shape) == 2

    def make(self, **kwargs):
        return self.layer(**self.options, **kwargs)

    def inputs(self, seed=0, lengths=None):
        """NumPy arrays, one for each input; `lengths` instead of the row's own."""
        rng = np.random.default_rng(seed)
        shapes = self.shapes
        if lengths is not None:
            shapes = [(s[0], n, *s[2:]) for s, n in zip(shapes, lengths)]
        return [
            rng.integers(1, V, shape).astype("int32")
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


OPTIONS = {"num_heads": N, "d_ff": F, "dropout_rate": 0.4}

CASES = {
    "TokenEmbedding": LayerCase(
        ka.TokenEmbedding, {"vocab_size": V, "d_model": D}, ((B, T),)
    ),
    "TokenEmbedding, projecting": LayerCase(
        ka.TokenEmbedding, {"vocab_size": V, "d_model": D}, ((B, T),), embed_and_project
    ),
    "TokenEmbedding, projecting, unscaled, bias": LayerCase(
        ka.TokenEmbedding,
        {"vocab_size": V, "d_model": D, "scaled": False, "use_bias": True},
        ((B, T),),
        embed_and_project,
    ),
    "PositionalEncoding": LayerCase(ka.PositionalEncoding),
    "PositionalEncoding, limited, halves": LayerCase(
        ka.PositionalEncoding, {"max_length": 17, "interleaved": False}
    ),
    "LearnedPositionalEncoding": LayerCase(
        ka.LearnedPositionalEncoding, {"max_length": 17}
    ),
    "SegmentEncoding": LayerCase(
        ka.SegmentEncoding, {"num_segments": V}, ((B, T, D), (B, T))
    ),
    "MultiHeadSelfAttention": LayerCase(
        ka.MultiHeadSelfAttention, {"num_heads": N}, sees_future=True
    ),
    "MultiHeadSelfAttention, causal": LayerCase(
        ka.MultiHeadSelfAttention, {"num_heads": N, "causal": True}
    ),
    "MultiHeadSelfAttention, causal, dropout, bias": LayerCase(
        ka.MultiHeadSelfAttention,
        {"num_heads": N, "causal": True, "dropout_rate": 0.4, "use_bias": True},
    ),
    "MultiHeadCrossAttention": LayerCase(
        ka.MultiHeadCrossAttention,
        {"num_heads": N, "dropout_rate": 0.4},
        ((B, T, D), (B, S, M)),
    ),
    "FeedForward": LayerCase(
        ka.FeedForward, {"d_ff": F, "activation": "gelu", "dropout_rate": 0.4}
    ),
    "CharacterEmbedding": LayerCase(
        ka.CharacterEmbedding,
        {
            "d_model": D,
            "filters": [[1, 4], [3, 5], [7, 2]],
            "character_dim": M,
            "num_characters": V,
        },
        ((B, T, S),),
        characters=True,
    ),
    "Highway": LayerCase(ka.Highway),
    "BidirectionalLSTM": LayerCase(
        ka.BidirectionalLSTM, {"d_model": D // 2}, sees_future=True, recurrent=True
    ),
    "ScalarMix": LayerCase(ka.ScalarMix, {"num_layers": N}, ((B, T, N * D),)),
    "Dropout": LayerCase(ka.Dropout, {"rate": 0.4}),
    "Residual": LayerCase(ka.Residual, {"dropout_rate": 0.4}, ((B, T, D), (B, T, D))),
    "EncoderLayer": LayerCase(
        ka.EncoderLayer, {"num_heads": N, "d_ff": F}, sees_future=True
    ),
    "EncoderLayer, norm first, bias": LayerCase(
        ka.EncoderLayer,
        {**OPTIONS, "norm_first": True, "use_bias": True, "activation": "silu"},
        sees_future=True,
    ),
    "DecoderLayer": LayerCase(
        ka.DecoderLayer, {"num_heads": N, "d_ff": F}, ((B, T, D), (B, S, M))
    ),
    "DecoderLayer, norm first, bias": LayerCase(
        ka.DecoderLayer,
        {**OPTIONS, "norm_first": True, "use_bias": True, "activation": "silu"},
        ((B, T, D), (B, S, M)),
    ),
}


def parametrize(condition=lambda case: True):
    """Run a test over the rows for which the condition holds."""
    rows = {name: case for name, case in CASES.items() if condition(case)}
    return pytest.mark.parametrize("case", rows.values(), ids=rows)


def takes_vectors(case):
    return not case.are_ids(case.shapes[0])


def learns(case):
    return case.layer not in (ka.PositionalEncoding, ka.Dropout)


every_layer = parametrize()
every_layer_of_vectors = parametrize(takes_vectors)


def numpy(x):
    """Any float tensor -> a float32 array, which NumPy can compare."""
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def random_masks(case, seed=3):
    """True = may attend: a mask for each input, the same for inputs of one length."""
    rng = np.random.default_rng(seed)
    masks = {}
    for batch, length, *_ in case.shapes:
        mask = rng.random((batch, length)) < 0.6
        mask[:, 0] = True
        mask[0, 1:3] = [False, True]
        masks.setdefault(length, mask)
    return [masks[shape[1]] for shape in case.shapes]


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
