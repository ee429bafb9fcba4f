"""Model, losses and data after a bad loss -> the likely cause, and what to do."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

import keras
import numpy as np
from keras import ops

from keras_attention.models.sequence_to_sequence import VOCAB_SIZE
from keras_attention.special_tokens import PAD
from keras_attention.training.loss import MaskedCrossentropy

# A loss so many times the usual one is an explosion, and no hard batch.
EXPLODED = 2.0

# Far above what Transformers are trained with by Adam: 0.0007 at the peak of Vaswani et
# al., 2017, for the base model, and 0.005 for very small ones.
HIGH_ADAM_RATE = 0.02

# Batches to look through where the data do not know how many they are.
MOST_BATCHES = 10_000


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What can be looked at when a loss is not finite.

    Attributes:
        model: As the bad step left it.
        losses: Of the steps before, oldest first; all finite.
        learning_rate: Of the optimizer.
        batches: The training data, `(inputs, labels)` or with weights; or nothing.
    """

    model: keras.Model
    losses: Sequence[float]
    learning_rate: float
    batches: Iterable


def likely_cause(evidence):
    """Tell what the evidence speaks for, the surest first, and what to do."""
    for look in (bad_data, half_precision, explosion, high_rate, loss_alone):
        cause = look(evidence)
        if cause:
            return cause
    return (
        "Nothing points at one cause. Compile with run_eagerly=True and start again "
        "from good weights: where an operation first gives NaN is then to be seen."
    )


def bad_data(evidence):
    """Ids without an embedding, or a batch with nothing to predict."""
    sizes = getattr(evidence.model, "config", {})
    for inputs, labels in one_epoch(evidence.batches):
        arrays = {**inputs, "labels": labels} if isinstance(inputs, dict) else {}
        for name, ids in arrays.items():
            size = sizes.get(VOCAB_SIZE.get(name, "target_vocab_size"))
            if size and ids.size and not 0 <= ids.min() <= ids.max() < size:
                return (
                    f"The data have ids outside of the vocabulary: {name} of a batch "
                    f"go from {ids.min()} to {ids.max()}, where the model knows 0 to "
                    f"{size - 1}. Build the model with the vocab_size of the tokenizer "
                    f"that made the ids."
                )
        divides_safely = isinstance(evidence.model.loss, MaskedCrossentropy)
        if not divides_safely and np.all(labels == PAD):
            return (
                f"A batch has labels of shape {labels.shape} that are all padding, so "
                f"a loss that divides by the number of tokens divides by 0. Leave such "
                f"batches out, or use MaskedCrossentropy, which gives them 0."
            )
    return None


def one_epoch(batches):
    """Inputs and labels of each batch, as NumPy arrays."""
    try:
        length = len(batches)
    except TypeError:
        length = MOST_BATCHES
    for batch in itertools.islice(batches, length):
        inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
        yield keras.tree.map_structure(ops.convert_to_numpy, (inputs, labels))


def half_precision(evidence):
    """Numbers with the small range of float16."""
    model = evidence.model
    if model.compute_dtype != "float16":
        return None
    if not isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        return (
            "The model computes in float16 and its loss is not scaled, so its "
            "gradients leave the range of float16. Use the policy mixed_float16 and "
            "compile with auto_scale_loss=True, or use mixed_bfloat16."
        )
    return (
        "The model computes in float16, whose largest number is 65504, and its "
        "activations may be larger. Use mixed_bfloat16 or float32."
    )


def explosion(evidence):
    """Losses that had grown before."""
    if len(evidence.losses) < 2:
        return None
    usual, last = np.median(evidence.losses), evidence.losses[-1]
    if last < EXPLODED * usual:
        return None
    return (
        f"The training had exploded: the loss of a step had been about {usual:.4g}, "
        f"and was {last:.4g} in the last one. Lower the learning rate, warm up for "
        f"more steps, or set the optimizer's global_clipnorm, for example to 1."
    )


def high_rate(evidence):
    """A rate that Adam does not bear."""
    optimizer = evidence.model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    is_adam = isinstance(optimizer, keras.optimizers.Adam)
    if not is_adam or evidence.learning_rate < HIGH_ADAM_RATE:
        return None
    return (
        f"The learning rate is high: Transformers are trained by Adam at peaks of "
        f"about 0.0007 (base) to 0.005 (very small), and this is "
        f"{evidence.learning_rate:.3g}. Lower it, or check the schedule's scale."
    )


def loss_alone(evidence):
    """Weights that the step left finite."""
    if first_bad_variable(evidence.model.variables) is not None:
        return None
    return (
        "All weights are still finite, so it is the loss of this batch itself: a "
        "division by 0 or a logarithm of 0. Look at the loss and the sample weights."
    )


def first_bad_variable(variables):
    """The first variable with a value that is not finite, or None."""
    for variable in variables:
        if not np.isfinite(ops.convert_to_numpy(variable.value)).all():
            return variable
    return None
