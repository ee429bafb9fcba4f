"""Logits (B, T, V), labels (B, T) -> figures that a person reads, padding left out."""

import keras
from keras import ops

from keras_attention.special_tokens import PAD
from keras_attention.training.loss import MaskedCrossentropy, token_weights


class MeanOverTokens(keras.metrics.Mean):
    """The mean of a figure of each real token, over all batches since the reset."""

    def token_values(self, y_true, y_pred):
        """The figure of each token: (B, T), float32."""
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(y_true, "int32")
        weights = ops.cast(ops.not_equal(y_true, PAD), "float32")  # (B, T)
        if sample_weight is not None:
            weights = weights * token_weights(sample_weight)
        # Given as one figure of known weight: of (B, T) values Keras first takes the
        # mean over T, padding included, and long sentences would count for less.
        total = ops.sum(weights)
        values = self.token_values(y_true, y_pred) * weights
        mean = ops.sum(values) / ops.where(total == 0, 1.0, total)
        return super().update_state(mean, total)


@keras.saving.register_keras_serializable(package="keras_attention")
class MaskedAccuracy(MeanOverTokens):
    """Share of the real tokens whose most likely prediction is right, in [0, 1].

    Given the right tokens before it (teacher forcing), so more than a translation
    made without them would reach.

    Args:
        name: Name in logs and progress bars.

    Call arguments:
        y_true: (B, T), int; `PAD` where there is nothing to predict.
        y_pred: (B, T, V) logits, float.
        sample_weight: (B,) or (B, T), or None.

    Example:

    >>> accuracy = MaskedAccuracy()
    >>> accuracy(np.array([[1, 2, 0]]), np.eye(4)[None, [1, 3, 0]])  # 0.5
    """

    def __init__(self, name="accuracy", **kwargs):
        super().__init__(name=name, **kwargs)

    def token_values(self, y_true, y_pred):
        best = ops.cast(ops.argmax(y_pred, axis=-1), "int32")  # (B, T)
        return ops.cast(ops.equal(best, y_true), "float32")


@keras.saving.register_keras_serializable(package="keras_attention")
class Perplexity(MeanOverTokens):
    """Between how many tokens the model hesitates: exp(mean nats per real token).

    Without label smoothing, whatever the loss uses; from 1, with no upper end.

    Args:
        name: Name in logs and progress bars.

    Call arguments:
        y_true: (B, T), int; `PAD` where there is nothing to predict.
        y_pred: (B, T, V) logits, float.
        sample_weight: (B,) or (B, T), or None.

    Example:

    >>> Perplexity()(np.array([[1, 2, 0]]), np.zeros((1, 3, 4)))  # 4.0
    """

    def __init__(self, name="perplexity", **kwargs):
        super().__init__(name=name, **kwargs)

    def token_values(self, y_true, y_pred):
        return MaskedCrossentropy().call(y_true, y_pred)

    def result(self):
        return ops.exp(super().result())
