"""Trials with different label smoothing are compared by the same loss."""

import math

import pytest

from keras_attention.tuning.unsmoothed_loss import UnsmoothedLoss


def test_the_validation_loss_is_that_without_smoothing():
    logs = {"loss": 2.0, "val_loss": 2.5, "val_perplexity": math.e**2}
    UnsmoothedLoss().on_epoch_end(0, logs)
    assert logs["val_loss"] == pytest.approx(2.0)
    assert logs["loss"] == 2.0


@pytest.mark.parametrize("perplexity", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_refused(perplexity):
    logs = {"val_loss": perplexity, "val_perplexity": perplexity}
    with pytest.raises(
        FloatingPointError,
        match=f"UnsmoothedLoss: got val_perplexity={perplexity} after epoch 3, but",
    ):
        UnsmoothedLoss().on_epoch_end(2, logs)
