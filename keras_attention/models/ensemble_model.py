"""Several models of one translation -> one model that means them all."""

import math

import keras
import numpy as np
from keras import ops

from keras_attention.models.attention_maps import KINDS
from keras_attention.models.sequence_to_sequence import VOCAB_SIZE, SequenceToSequence


@keras.saving.register_keras_serializable(package="keras_attention")
class Ensemble(SequenceToSequence):
    """Several models that translate as one, by the mean of their probabilities.

        log p(token) = log(1/n sum_i p_i(token))

    It goes into a search, a `Translator`, a SavedModel and a `.keras` file, as each of
    its members does, and takes the time and the memory of all of them. What it is good
    for: models that were trained apart make different errors, and together fewer.

    Args:
        members: n models over the same vocabularies, such as `Transformer`s of different
            seeds; they need not be of one size or kind. They are not copied.

    Inputs:
        {"source_ids": (B, S), "target_ids": (B, T)}, int32, as for the members.

    Outputs:
        (B, T, V) log probabilities, float32; below -10,000 for tokens that no member
        ever proposes.

    Attributes:
        members: The same, as a list.

    Raises:
        TypeError: A member is no model from source and target ids to logits.
        ValueError: There are no members, or their vocabularies differ in size.

    Source:
        The ensembles of fairseq (Ott et al., 2019). Departures: none. A mean of log
        probabilities, which some toolkits take, would let one member veto a token.

    Example:

    >>> members = [
    ...     Transformer(11, 13, num_layers=1, d_model=12, num_heads=3, d_ff=20)
    ...     for _ in range(3)
    ... ]
    >>> ensemble = Ensemble(members)
    >>> ids = np.array([[5, 6, 3]])
    >>> ensemble({"source_ids": ids, "target_ids": ids}).shape
    (1, 3, 13)
    """

    def __init__(self, members, name="ensemble"):
        members = require_members(list(members))
        inputs = {
            side: keras.Input((None,), dtype="int32", name=side) for side in VOCAB_SIZE
        }
        logits = [
            Member(one, name=f"member_{number}")(inputs)
            for number, one in enumerate(members)
        ]
        super().__init__(inputs, mean_log_probs(logits), name=name)
        self.members = members
        self.dtype_policy = members[0].dtype_policy
        first = members[0].config
        self.config = {
            **{size: first[size] for size in VOCAB_SIZE.values()},
            "share_embeddings": all(one.config["share_embeddings"] for one in members),
            "forbidden_tokens": np.flatnonzero(self.forbidden).tolist(),
        }

    def encode(self, source_ids):
        """Run the encoders alone: a list of the members' memories."""
        return [one.encode(source_ids) for one in self.members]

    def start(self, source_ids, max_length):
        """Encode the source once for each member, and make ready for `step`.

        Returns:
            cache, memory_cache: Lists of the members' own.
        """
        started = [one.start(source_ids, max_length) for one in self.members]
        caches, memory_caches = zip(*started)
        return list(caches), list(memory_caches)

    def step(self, token_ids, cache, index, memory_cache):
        """Score what follows one more token of each hypothesis.

        Args:
            token_ids: (R,), int; the tokens at position `index`.
            cache, memory_cache: From `start`; the cache also from the step before.
            index: Position of the tokens, from 0.

        Returns:
            (R, V) log probabilities of the next token; the cache; and for each layer of
            each member the weights (R, N, S) of what was looked at in the source.
        """
        answers = [
            one.step(token_ids, own, index, memory)
            for one, own, memory in zip(self.members, cache, memory_cache)
        ]
        logits, caches, maps = zip(*answers)
        logits = [one.forbid(own) for one, own in zip(self.members, logits)]
        weights = [layer for own in maps for layer in own]
        return mean_log_probs(logits), list(caches), weights

    @property
    def forbidden(self):
        """What a member never proposes, none of them does: (V,), bool."""
        return np.any([one.forbidden for one in self.members], axis=0)

    def attention_maps(self, source_ids, target_ids):
        """Show where every layer of every member looks, the mean of its heads.

        Args:
            source_ids: (B, S), int.
            target_ids: (B, T), int, START first.

        Returns:
            {"encoder": [(B, 1, S, S), ...], "decoder": [(B, 1, T, T), ...],
            "cross": [(B, 1, T, S), ...]}, the layers of the first member first.

        Raises:
            ValueError: If no member has attention.
        """
        looking = [one for one in self.members if any(one.cross_attention_shape)]
        maps = [
            one.attention_maps(source_ids, target_ids)
            for one in looking or self.members
        ]
        return {
            kind: [
                ops.mean(weights, axis=1, keepdims=True)
                for own in maps
                for weights in own[kind]
            ]
            for kind in KINDS
        }

    @property
    def cross_attention_shape(self):
        """(L, 1): how many layers of all members look at the source."""
        layers = sum(one.cross_attention_shape[0] for one in self.members)
        return layers, min(layers, 1)

    def get_config(self):
        return {
            "members": [keras.saving.serialize_keras_object(m) for m in self.members],
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        members = [
            keras.saving.deserialize_keras_object(member, custom_objects=custom_objects)
            for member in config["members"]
        ]
        return cls(**{**config, "members": members})


class Member(keras.layers.Layer):
    """A model of an ensemble, under a name that no other member has.

    Args:
        model: The member; most are called "transformer".
    """

    def __init__(self, model, **kwargs):
        super().__init__(dtype=model.dtype_policy, **kwargs)
        self.model = model

    def call(self, inputs, training=None):
        """Logits (B, T, V), float32, in which nothing forbidden is proposed."""
        return self.model.forbid(self.model(inputs, training=training))


def mean_log_probs(logits):
    """Average distributions: n times (..., V) -> (..., V), their log probabilities."""
    log_probs = [
        ops.log_softmax(ops.cast(member, "float32"), axis=-1) for member in logits
    ]
    return ops.logsumexp(ops.stack(log_probs), axis=0) - math.log(len(logits))


def require_members(members):
    """Return the members; raise unless they can translate together."""
    if not members:
        raise ValueError(
            "Ensemble: got members=[], but there must be a model to ask. Give two or "
            "more that were trained apart."
        )
    for member in members:
        if not isinstance(member, SequenceToSequence):
            raise TypeError(
                f"Ensemble: got a member of type {type(member).__name__}, but needs "
                f"models from source and target ids to logits. Give Transformers or "
                f"RecurrentSeq2Seqs."
            )
    for side, size in VOCAB_SIZE.items():
        sizes = [member.config[size] for member in members]
        if len(set(sizes)) > 1:
            raise ValueError(
                f"Ensemble: got members with {size}={sizes}, but their {side} must mean "
                f"the same to all. Use models that were trained with the same "
                f"tokenizers."
            )
    return members
