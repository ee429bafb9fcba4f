"""One row per public layer: how to make it, and valid inputs for it.

The sizes are different, so that a swapped axis cannot pass.
"""

import dataclasses

import pytest
from keras import ops

import keras_attention as ka
from keras_attention.testing import layer_case
from keras_attention.testing.layer_case import (  # noqa: F401 (for the tests)
    carry,
    numpy,
    random_masks,
    same_draws,
)

B, T, S, D, M, N, F, V = 2, 5, 7, 12, 8, 3, 11, 13

POLICIES = ["mixed_bfloat16", "mixed_float16", "bfloat16"]


def first_output(layer, *tensors):
    """Of a layer with several outputs, the one that is as long as its input."""
    return layer(*tensors)[0]


def embed_and_project(layer, ids):
    """Both uses of the one matrix: ids (B, T) -> logits (B, T, V)."""
    return layer.project(layer(ids))


def gather_from_longer(layer, positions, x):
    """The positions are any ids, so there must be as many vectors."""
    return layer(positions, ops.pad(x, ((0, 0), (0, V), (0, 0))))


@dataclasses.dataclass(frozen=True)
class LayerCase(layer_case.LayerCase):
    """How to make one layer and valid inputs for it, and of what kind it is."""

    recurrent: bool = False  # a hidden position hands on what came before it
    characters: bool = False  # the only input is (B, T, C), and these are ids, too

    def are_ids(self, shape):
        return self.characters or super().are_ids(shape)


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
    "GatherPositions": LayerCase(
        ka.GatherPositions, {}, ((B, T), (B, V, D)), gather_from_longer
    ),
    "OutputBias": LayerCase(ka.OutputBias),
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
    "LayerNormalization": LayerCase(ka.LayerNormalization),
    "Residual": LayerCase(ka.Residual, {"dropout_rate": 0.4}, ((B, T, D), (B, T, D))),
    "EncoderLayer": LayerCase(
        ka.EncoderLayer, {"num_heads": N, "d_ff": F}, sees_future=True
    ),
    "EncoderLayer, norm first, bias": LayerCase(
        ka.EncoderLayer,
        {**OPTIONS, "norm_first": True, "use_bias": True, "activation": "silu"},
        sees_future=True,
    ),
    "EncoderLayer, causal": LayerCase(
        ka.EncoderLayer, {"num_heads": N, "d_ff": F, "causal": True}
    ),
    "DecoderLayer": LayerCase(
        ka.DecoderLayer, {"num_heads": N, "d_ff": F}, ((B, T, D), (B, S, M))
    ),
    "DecoderLayer, norm first, bias": LayerCase(
        ka.DecoderLayer,
        {**OPTIONS, "norm_first": True, "use_bias": True, "activation": "silu"},
        ((B, T, D), (B, S, M)),
    ),
    "AdditiveAttention": LayerCase(
        ka.AdditiveAttention, {"units": F}, ((B, T, D), (B, S, M))
    ),
    "MultiplicativeAttention": LayerCase(
        ka.MultiplicativeAttention, shapes=((B, T, D), (B, S, M))
    ),
    "RecurrentEncoder": LayerCase(
        ka.RecurrentEncoder,
        {"units": M, "cell": "gru", "bidirectional": True, "dropout_rate": 0.4},
        connect=first_output,
        sees_future=True,
        recurrent=True,
    ),
    "RecurrentDecoder": LayerCase(
        ka.RecurrentDecoder,
        {"units": F, "attention": "additive", "dropout_rate": 0.4},
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
    return case.layer not in (ka.PositionalEncoding, ka.Dropout, ka.GatherPositions)


every_layer = parametrize()
every_layer_of_vectors = parametrize(takes_vectors)
