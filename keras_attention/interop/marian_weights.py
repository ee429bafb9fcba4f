"""Marian's tensors <-> the weights of a Transformer: the table of names.

A projection there is (out, in), with one tensor for queries, keys and values each; here
it is (in, out), and they are side by side in one.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_attention.layers.positional_encoding import sinusoid
from keras_attention.models.sequence_to_sequence import FORBIDDEN_LOGIT
from keras_attention.special_tokens import START

BIAS = "final_logits_bias"
TABLES = ENCODER_TABLE, DECODER_TABLE = (
    "model.encoder.embed_positions.weight",
    "model.decoder.embed_positions.weight",
)
# Names of one and the same matrix; a file may hold any of them.
SHARED, SOURCE, TARGET, OUTPUT = (
    "model.shared.weight",
    "model.encoder.embed_tokens.weight",
    "model.decoder.embed_tokens.weight",
    "lm_head.weight",
)

# Tables in half precision, and at far positions, are as exact as this.
TABLE_TOLERANCE = 2e-3


class Part(NamedTuple):
    """One layer here, and what it is there.

    Attributes:
        layer: A layer, Dense or LayerNormalization.
        names: Of the modules there, that stand in it side by side.
        reads: Whether what it multiplies are vectors of the residual stream.
        writes: Whether what it makes are such vectors.
    """

    layer: Any
    names: tuple
    reads: bool = False
    writes: bool = False


def parts(model):
    """Every layer with weights but the embeddings, as a `Part`."""
    for index, layer in enumerate(model.encoder.layers):
        there = f"model.encoder.layers.{index}"
        yield from self_attention(layer.attention, there)
        yield norm(layer.attention_residual, f"{there}.self_attn_layer_norm")
        yield from feed_forward(layer, there)
    for index, layer in enumerate(model.decoder.layers):
        there = f"model.decoder.layers.{index}"
        yield from self_attention(layer.self_attention, there)
        yield norm(layer.self_attention_residual, f"{there}.self_attn_layer_norm")
        yield from cross_attention(layer.cross_attention, there)
        yield norm(layer.cross_attention_residual, f"{there}.encoder_attn_layer_norm")
        yield from feed_forward(layer, there)


def self_attention(layer, there):
    names = [f"{there}.self_attn.{letter}_proj" for letter in "qkv"]
    yield Part(layer.query_key_value, tuple(names), reads=True)
    name = f"{there}.self_attn.out_proj"
    yield Part(layer.output_projection, (name,), writes=True)


def cross_attention(layer, there):
    query, key, value, output = [
        f"{there}.encoder_attn.{name}_proj" for name in ("q", "k", "v", "out")
    ]
    yield Part(layer.query, (query,), reads=True)
    yield Part(layer.key_value, (key, value), reads=True)
    yield Part(layer.output_projection, (output,), writes=True)


def feed_forward(layer, there):
    yield Part(layer.feed_forward.widen, (f"{there}.fc1",), reads=True)
    yield Part(layer.feed_forward.narrow, (f"{there}.fc2",), writes=True)
    yield norm(layer.feed_forward_residual, f"{there}.final_layer_norm")


def norm(residual, name):
    return Part(residual.norm, (name,), writes=True)


def is_norm(part):
    return hasattr(part.layer, "gamma")


def matrix_names(shared):
    """Names that the matrix of the source may have, and that of the target."""
    if shared:
        return [(SHARED, SOURCE, TARGET, OUTPUT)] * 2
    return [(SOURCE,), (TARGET, OUTPUT)]


class TensorReader:
    """Hands out the tensors of a file, and knows which nobody wanted.

    Args:
        owner: Who reads, for the error messages.
        path: The file, for the same.
        tensors: {name: float32 array}.
    """

    def __init__(self, owner, path, tensors):
        self.owner, self.path, self.tensors = owner, path, tensors
        self.unread = set(tensors)

    def take(self, name, shape):
        """The tensor of a name.

        Raises:
            ValueError: If there is none, or its shape is another one.
        """
        if name not in self.tensors:
            raise ValueError(
                f"{self.owner}: got the file {self.path} without the tensor {name}, "
                f"which the layers in config.json need. Download both again; they must "
                f"belong to the same model."
            )
        self.unread.discard(name)
        tensor = self.tensors[name]
        if tensor.shape != tuple(shape):
            raise ValueError(
                f"{self.owner}: got the file {self.path} with the tensor {name} of "
                f"shape {tensor.shape}, but config.json and the vocabulary need "
                f"{tuple(shape)}. Download all again; they must belong to the same "
                f"model."
            )
        return tensor

    def take_tied(self, names, shape):
        """The one matrix that goes by several names, of which one suffices.

        Raises:
            ValueError: If there is none, or two of them differ.
        """
        present = [name for name in names if name in self.tensors] or names[:1]
        first, *others = [self.take(name, shape) for name in present]
        for name, other in zip(present[1:], others):
            if not np.array_equal(first, other):
                raise ValueError(
                    f"{self.owner}: got the file {self.path} with the tensors "
                    f"{present[0]} and {name}, which differ, but here they are one "
                    f"matrix. Models that do not share it can not be taken in."
                )
        return first

    def require_all_read(self):
        """Raise ValueError if there is a tensor that has no place here."""
        if self.unread:
            names = sorted(self.unread)
            raise ValueError(
                f"{self.owner}: got the file {self.path} with {len(names)} tensors "
                f"that a model of this config.json has no place for: "
                f"{', '.join(names[:3])}. Models with more than that can not be taken "
                f"in."
            )


def read_weights(reader, model, source, target, config):
    """Fill a Transformer with the tensors of a file; change nothing if one is wrong.

    Args:
        reader: `TensorReader`.
        model: `Transformer` of the right sizes.
        source: `MarianVocabulary` of the source.
        target: That of the target.
        config: `MarianConfig`.

    Raises:
        ValueError: If a tensor is missing, has another shape, or has no place.
    """
    new = [(part.layer, layer_weights(reader, part)) for part in parts(model)]
    d_model = model.config["d_model"]
    matrices = [
        reader.take_tied(names, (len(vocabulary.pieces), d_model))
        for names, vocabulary in zip(matrix_names(config.shared), (source, target))
    ]
    source_matrix, target_matrix = [
        vocabulary.to_ours(matrix)
        for vocabulary, matrix in zip((source, target), matrices)
    ]
    size = len(target.pieces)
    bias = np.zeros(size, "float32")
    if BIAS in reader.tensors:
        bias = reader.take(BIAS, (1, size))[0]
    target_matrix[START] += start_offset(reader, d_model, config)
    reader.require_all_read()
    if not config.shared:
        new.append((model.encoder.embedding, [source_matrix]))
    new.append((model.decoder.embedding, [target_matrix, target.to_ours(bias)]))
    for layer, weights in new:
        layer.set_weights(weights)


def layer_weights(reader, part):
    """Marian's tensors -> the weights of one layer, in the order of Keras."""
    if is_norm(part):
        [name], shape = part.names, part.layer.gamma.shape
        return [reader.take(f"{name}.{kind}", shape) for kind in ("weight", "bias")]
    width, units = part.layer.kernel.shape
    units //= len(part.names)
    kernels = [reader.take(f"{n}.weight", (units, width)).T for n in part.names]
    biases = [reader.take(f"{name}.bias", (units,)) for name in part.names]
    return [np.concatenate(kernels, axis=1), np.concatenate(biases)]


def start_offset(reader, d_model, config):
    """What START's vector has beyond `<pad>`'s, by the decoder's first position.

    Raises:
        ValueError: If a table of positions is not the sinusoid.
    """
    expected = position_table(config.max_positions, d_model)
    offset = np.zeros(d_model, "float32")
    for name in TABLES:
        if name not in reader.tensors:
            continue
        table = reader.take(name, expected.shape)
        first = int(name == DECODER_TABLE)
        if np.abs(table - expected)[first:].max(initial=0) > TABLE_TOLERANCE:
            raise ValueError(
                f"{reader.owner}: got the file {reader.path} with learned positions in "
                f"the tensor {name}, but Marian's are sines and cosines. Models with "
                f"learned positions can not be taken in."
            )
        if first:
            offset = (table - expected)[0] / embedding_scale(
                d_model, config.values.get("scale_embedding", False)
            )
    return offset


def marian_tensors(model, source, target, max_positions):
    """The weights of a Transformer -> {name: float32 array}, as Marian has them.

    Sines and cosines that alternate here are brought into Marian's order by reordering
    the channels of the residual stream, which changes nothing but their order.

    `<pad>`, which each translation begins with, is a vector of zeros where that is
    possible, as CTranslate2 relies on it; START's own vector is then added to the
    decoder's first position.

    Args:
        model: `Transformer`.
        source, target: `MarianVocabulary` of each side.
        max_positions: Rows of the table of positions, if one is needed.
    """
    channels = stream_channels(model.config)
    tensors = {}
    for part in parts(model):
        tensors.update(part_tensors(part, channels))
    embedding = model.decoder.embedding
    matrix = as_array(embedding.embeddings)[:, channels]
    bias = np.zeros(len(matrix), "float32")
    if embedding.use_bias:
        bias = as_array(embedding.bias)
    if START in model.config["forbidden_tokens"] and matrix[START].any():
        matrix = matrix.copy()
        table = position_table(max_positions, matrix.shape[1])
        scale = embedding_scale(matrix.shape[1], embedding.scaled)
        table[0] += scale * matrix[START]
        tensors[DECODER_TABLE] = table
        matrix[START] = 0
    shared = model.config["share_embeddings"]
    tensors[SHARED if shared else TARGET] = target.to_marian(matrix)
    if not shared:
        own = as_array(model.encoder.embedding.embeddings)[:, channels]
        tensors[SOURCE] = source.to_marian(own)
    tensors[BIAS] = target.to_marian(bias, filler=FORBIDDEN_LOGIT)[None]
    return tensors


def part_tensors(part, channels):
    """The weights of one layer -> Marian's tensors."""
    if is_norm(part):
        [name], layer = part.names, part.layer
        return {
            f"{name}.weight": as_array(layer.gamma)[channels],
            f"{name}.bias": as_array(layer.beta)[channels],
        }
    kernel = as_array(part.layer.kernel)
    bias = np.zeros(kernel.shape[1], "float32")
    if part.layer.use_bias:
        bias = as_array(part.layer.bias)
    if part.reads:
        kernel = kernel[channels]
    if part.writes:
        kernel, bias = kernel[:, channels], bias[channels]
    number = len(part.names)
    tensors = {}
    for name, matrix, vector in zip(
        part.names, np.split(kernel, number, axis=1), np.split(bias, number)
    ):
        tensors[f"{name}.weight"] = matrix.T
        tensors[f"{name}.bias"] = vector
    return tensors


def stream_channels(config):
    """(D,), int; which of our channels stand where in Marian: sines, then cosines."""
    channels = np.arange(config["d_model"])
    if not config["interleaved_positions"]:
        return channels
    return np.concatenate([channels[::2], channels[1::2]])


def position_table(max_positions, d_model):
    """Marian's positions, (max_positions, D), float32: sines, then cosines."""
    positions = np.arange(max_positions, dtype="float32")
    return as_array(sinusoid(positions, d_model, interleaved=False)).copy()


def embedding_scale(d_model, scaled):
    return math.sqrt(d_model) if scaled else 1.0


def as_array(x):
    """A weight -> float32 array."""
    return ops.convert_to_numpy(ops.cast(x, "float32"))
