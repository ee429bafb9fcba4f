"""A trained model -> one that only translates, as fast as its weights allow."""

import functools

import keras
import numpy as np
import tensorflow as tf

from keras_attention.export.numeric_format import COMPUTE_DTYPES, pack, unpack
from keras_attention.models.ensemble_model import Ensemble
from keras_attention.models.sequence_to_sequence import SequenceToSequence

# oneDNN keeps the packed form of a constant matrix only where a bias is added to the
# product, and TensorFlow removes a bias of zeros. This one no dtype can tell from 0
# next to a number that matters. Without it a step of one sentence takes 1.5 times as
# long.
NO_BIAS = 1e-30

# TensorFlow unpacks constants once, when it loads them, but no larger ones than this:
# these it would unpack anew for each token.
LARGEST_UNPACKED = 10 * 2**20  # bytes

# The best of the logits are sought block by block: see `top_k`.
BLOCK = 128


class FrozenModel(SequenceToSequence):
    """A model whose weights do not change any more, stored in a numeric format.

    What it computes once for each sentence reads the weights from variables. What it
    computes for each token has them as constants inside the graph of the step: in the
    body of a search's loop a variable, or a constant from outside, would be packed
    anew for each token. The target's vocabulary is filled up with tokens that are
    never proposed, to a number that is searched quickly.

    Made by `freeze`, which lets it come before the class of the model.
    """

    def store(self, weights, numeric_format, vocab_size):
        """Take the weights, and keep no others.

        Args:
            weights: float32 arrays, in the order of `self.weights`.
            numeric_format: See `pack`.
            vocab_size: Tokens of the target's vocabulary that there really are.
        """
        self.vocab_size = vocab_size
        packed = [
            pack(array, numeric_format, per_row=weight.name == "embeddings")
            for weight, array in zip(self.weights, weights)
        ]
        variables = [
            [tf.Variable(part, trainable=False) for part in parts] for parts in packed
        ]
        steps = {id(weight) for weight in self.step_weights}
        constants = [
            (weight, quickly_unpacked(parts))
            for weight, parts in zip(self.weights, packed)
            if id(weight) in steps
        ]
        # In closures, and not in attributes: Keras would track them.
        self._stored = lambda: variables
        self._variables = lambda: keras.StatelessScope(
            [(weight, unpack(v)) for weight, v in zip(self.weights, variables)]
        )
        self._constants = lambda: keras.StatelessScope(
            [(weight, unpack(parts)) for weight, parts in constants]
        )
        self._step = tf.function(self._constant_step, autograph=False)

    @property
    def stored(self):
        """The tf.Variables that an export tracks, flat."""
        return [part for parts in self._stored() for part in parts]

    def __call__(self, inputs, *args, **kwargs):
        with self._variables():
            return super().__call__(inputs, *args, **kwargs)

    def start(self, source_ids, max_length):
        with self._variables():
            return super().start(source_ids, max_length)

    def step(self, token_ids, cache, index, memory_cache):
        return self._step(token_ids, cache, index, memory_cache)

    @property
    def forbidden(self):
        filled_up = np.arange(self.config["target_vocab_size"]) >= self.vocab_size
        return super().forbidden | filled_up

    def attention_maps(self, source_ids, target_ids):
        with self._variables():
            return super().attention_maps(source_ids, target_ids)

    def _constant_step(self, token_ids, cache, index, memory_cache):
        with self._constants():
            return super().step(token_ids, cache, index, memory_cache)


class FrozenEnsemble(Ensemble):
    """An ensemble of frozen models."""

    @property
    def stored(self):
        """The tf.Variables that an export tracks, flat."""
        return [part for member in self.members for part in member.stored]


def freeze(model, numeric_format):
    """Copy a trained model into one that is frozen.

    Args:
        model: A `Transformer`, a `RecurrentSeq2Seq`, or an `Ensemble` of them.
        numeric_format: "float32", "bfloat16" or "int8".

    Returns:
        A `FrozenModel` of the model's own class, too, or a `FrozenEnsemble`, that gives
        the same logits, as exactly as the format allows.
    """
    if isinstance(model, Ensemble):
        return FrozenEnsemble([freeze(one, numeric_format) for one in model.members])
    vocab_size = model.config["target_vocab_size"]
    settings = {"target_vocab_size": -(-vocab_size // BLOCK) * BLOCK}
    if model.config["share_embeddings"]:
        settings["source_vocab_size"] = settings["target_vocab_size"]
    if "use_bias" in model.config:
        settings["use_bias"] = True
    frozen = frozen_class(type(model))(
        **{**model.config, **settings}, dtype=COMPUTE_DTYPES[numeric_format]
    )
    trained = {weight.path: weight for weight in model.weights}
    weights = [trained_array(weight, trained) for weight in frozen.weights]
    frozen.store(weights, numeric_format, vocab_size)
    return frozen


@functools.cache
def frozen_class(model_class):
    """The class of the frozen models of a class."""
    return type(f"Frozen{model_class.__name__}", (FrozenModel, model_class), {})


def quickly_unpacked(parts):
    """The parts of a weight, or the whole of it where it is too large to be folded."""
    whole = unpack(parts).numpy()
    return (whole,) if whole.nbytes > LARGEST_UNPACKED else parts


def trained_array(weight, trained):
    """The trained values of a weight, float32; `NO_BIAS` for a bias without any."""
    if weight.path in trained:
        values = keras.ops.convert_to_numpy(trained[weight.path]).astype("float32")
        filled_up = zip(weight.shape, values.shape)  # longer along the vocabulary
        values = np.pad(values, [(0, more - size) for more, size in filled_up])
        if weight.name != "bias" or values.any():
            return values
    return np.full(weight.shape, NO_BIAS, "float32")
