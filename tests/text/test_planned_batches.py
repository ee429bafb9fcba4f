"""A plan is followed from any place in it on, whatever a batch is made of."""

import numpy as np
import pytest

from keras_attention.text.buckets import BatchOptions, plan_batches
from keras_attention.text.planned_batches import PlannedBatches

LENGTHS = np.random.default_rng(0).integers(1, 12, 40)


class RowBatches(PlannedBatches):
    """Batches that tell which rows they hold, and their shape."""

    def _gather(self, rows, shape):
        return rows.tolist(), shape


def build():
    options = BatchOptions("RowBatches", 40, 20, 3, "drop", True, seed=5)
    return RowBatches(plan_batches(np.arange(40), LENGTHS, options))


def test_an_epoch_holds_every_row_once_and_each_fits_its_batch():
    batches = list(build())
    assert len(batches) == len(build())
    assert sorted(row for rows, _ in batches for row in rows) == list(range(40))
    for rows, (most, width) in batches:
        assert len(rows) <= most and most * width <= 40
        assert LENGTHS[rows].max() <= width


def test_it_goes_on_from_the_middle():
    whole, batches = build(), build()
    first, second = list(whole), list(whole)
    assert first != second
    later = batches.starting_at(0, 2)
    assert list(later) == first[2:]
    assert list(later) == second
    assert list(batches.starting_at(0, len(whole))) == second


@pytest.mark.parametrize("epoch, batch", [(-1, 0), (0, -1), (0, 99)])
def test_a_place_that_there_is_not_is_refused(epoch, batch):
    message = rf"RowBatches.starting_at: got epoch={epoch} and batch={batch}, but"
    with pytest.raises(ValueError, match=message):
        build().starting_at(epoch, batch)


def test_how_a_batch_is_put_together_is_for_others_to_say():
    options = BatchOptions("x", 40, 20, 3, "drop", True, seed=5)
    batches = PlannedBatches(plan_batches(np.arange(40), LENGTHS, options))
    with pytest.raises(NotImplementedError):
        next(iter(batches))
