"""A validation loss with label smoothing -> one to compare with that of others."""

import math

import keras


class UnsmoothedLoss(keras.callbacks.Callback):
    """Put the validation loss without label smoothing in the place of `val_loss`.

    Smoothing raises the loss of the best of models: with another smoothing, the same
    predictions have another loss, and the least smoothing seems the best. So trials are
    compared by the plain cross-entropy, in nats per real token: the logarithm of the
    perplexity. It comes before the callbacks that are to see it.

    Raises:
        FloatingPointError: In `fit`, if it is not finite.
    """

    def on_epoch_end(self, epoch, logs=None):
        perplexity = logs["val_perplexity"]
        if not math.isfinite(perplexity):
            raise FloatingPointError(
                f"UnsmoothedLoss: got val_perplexity={perplexity} after epoch "
                f"{epoch + 1}, but no training is judged by that. Lower the learning "
                f"rate, or look for ids outside of the vocabulary."
            )
        logs["val_loss"] = math.log(perplexity)
