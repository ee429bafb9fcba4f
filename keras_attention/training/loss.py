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
        logits = ops.cast(y_pred, "float32")
        normaliser = ops.logsumexp(logits, axis=-1)  # (B, T)
        label_logits = logits_at(logits, y_true)
        if not self.label_smoothing:
            return normaliser - label_logits
        return (
            normaliser
            - (1 - self.label_smoothing) * label_logits
            - self.label_smoothing * ops.mean(logits, axis=-1)
        )

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def logits_at(logits, labels):
    """The logit of each label: (B, T, V), (B, T) -> (B, T)."""
    return ops.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]


def token_weights(sample_weight):
    """Bring weights of sentences (B,) or tokens (B, T) to the form (B, 1) or (B, T)."""
    sample_weight = ops.cast(sample_weight, "float32")
    return sample_weight[:, None] if len(sample_weight.shape) == 1 else sample_weight
