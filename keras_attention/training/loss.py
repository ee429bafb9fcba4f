"""Logits (B, T, V), labels (B, T) -> the mean loss of a real token."""

import keras
from keras import ops

from keras_attention.special_tokens import PAD


@keras.saving.register_keras_serializable(package="keras_attention")
class MaskedCrossentropy(keras.losses.Loss):
    """Cross-entropy of integer labels with label smoothing, in nats per real token.

    Smoothing asks for the distribution that gives the label 1 - e + e / V and every
    other token e / V. Labels that are `PAD` count for nothing, and the mean is over
    the others, so padding changes neither the loss nor its gradient.

    Args:
        label_smoothing: e, probability spread evenly over the vocabulary, in [0, 1).

    Call arguments:
        y_true: (B, T), int; `PAD` where there is nothing to predict.
        y_pred: (B, T, V) logits, float; computed on in float32.
        sample_weight: Broadcastable to (B, T), or (B,): how much each token or
            sentence counts, in the loss, not in the number it is divided by.

    Returns:
        A float32 scalar; 0 where there is nothing to predict.

    Source:
        Szegedy et al., 2016, section 7; Vaswani et al., 2017, section 5.4. The
        authors' code subtracts a constant, so that the least loss is 0; this does
        not.

    Example:

    >>> loss = MaskedCrossentropy(label_smoothing=0.1)
    >>> loss(np.array([[1, 2, 0]]), np.zeros((1, 3, 4))).shape  # log 4 = 1.386
    ()
    """

    def __init__(self, label_smoothing=0.0, name="masked_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"MaskedCrossentropy: got label_smoothing={label_smoothing}, but it is "
                f"the probability taken from the label, and at 1 nothing would be left "
                f"of it. Give a number in [0, 1)."
            )
        self.label_smoothing = label_smoothing

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(y_true, "int32")
        real = ops.cast(ops.not_equal(y_true, PAD), "float32")  # (B, T)
        losses = self.call(y_true, y_pred) * real
        if sample_weight is not None:
            losses = losses * token_weights(sample_weight)
        return ops.sum(losses) / ops.maximum(ops.sum(real), 1.0)

    def call(self, y_true, y_pred):
        """The loss of each token, padding included: (B, T), float32."""
        return smoothed_crossentropy(y_pred, y_true, self.label_smoothing)

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def smoothed_crossentropy(logits, labels, label_smoothing):
    """log sum exp(logits) - (1 - e) * logit of the label - e * mean(logits).

    With a gradient of its own, softmax(logits) - (1 - e) * [label] - e / V: what
    automatic differentiation makes of this takes three times as long on a CPU, as it
    writes three gradients of the size of the logits, one of them nearly all zeros, and
    adds them up.

    Args:
        logits: (B, T, V), float.
        labels: (B, T), int32.
        label_smoothing: e, in [0, 1).

    Returns:
        (B, T), float32; to be differentiated once by the logits.
    """
    labels = labels[..., None]  # (B, T, 1)

    @ops.custom_gradient
    def crossentropy(logits):
        wide = ops.cast(logits, "float32")
        probabilities = ops.softmax(wide)
        # One fused operation has exponentiated and summed; the most likely token, whose
        # probability is at least 1 / V, tells by how much.
        most = ops.max(probabilities, axis=-1, keepdims=True)
        normaliser = ops.max(wide, axis=-1, keepdims=True) - ops.log(most)  # (B, T, 1)
        label_logits = ops.take_along_axis(wide, labels, axis=-1)  # (B, T, 1)
        losses = normaliser - (1 - label_smoothing) * label_logits
        if label_smoothing:
            losses -= label_smoothing * ops.mean(wide, axis=-1, keepdims=True)

        def gradient(*args, upstream=None):
            scale = (args[-1] if upstream is None else upstream)[..., None]
            off_label = label_smoothing / ops.shape(wide)[-1]
            at_label = ops.exp(label_logits - normaliser) - (1 - label_smoothing)
            slopes = replace_along_last_axis(
                (probabilities - off_label) * scale,
                labels,
                (at_label - off_label) * scale,
            )
            return ops.cast(slopes, logits.dtype)

        return losses[..., 0], gradient

    return crossentropy(logits)


def replace_along_last_axis(x, index, values):
    """x (B, T, V), but `values` (B, T, 1) at `index` (B, T, 1) of its last axis."""
    width = ops.shape(x)[-1]
    flat_index = ops.reshape(index, (-1, 1))
    rows = ops.arange(ops.shape(flat_index)[0], dtype=index.dtype)[:, None]
    replaced = ops.scatter_update(
        ops.reshape(x, (-1, width)),
        ops.concatenate([rows, flat_index], axis=-1),
        ops.reshape(values, (-1,)),
    )
    return ops.reshape(replaced, ops.shape(x))


def token_weights(sample_weight):
    """Bring weights of sentences (B,) or tokens (B, T) to the form (B, 1) or (B, T)."""
    sample_weight = ops.cast(sample_weight, "float32")
    return sample_weight[:, None] if len(sample_weight.shape) == 1 else sample_weight
