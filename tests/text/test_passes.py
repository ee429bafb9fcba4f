import pytest

from keras_attention.text.passes import Passes

PREPARE = ["length", "length", "end"]


def run(passes, calls):
    """Make the calls; what `ask_length` and `fetch` answered."""
    answers = []
    for call in calls:
        if call == "length":
            answers.append(passes.ask_length())
        elif call == "fetch":
            answers.append(passes.fetch())
        else:
            getattr(passes, call)()
    return answers


def one_pass(batches):
    return ["begin", "length", *["fetch"] * batches, "end"]


def test_passes_are_the_epochs_one_after_another():
    passes = Passes(3)
    for epoch in range(3):
        assert passes.epoch == epoch
        assert run(passes, one_pass(3)) == [3, 0, 1, 2]


def test_the_first_pass_is_the_rest_of_its_epoch():
    passes = Passes(3, epoch=4, first=1)
    assert run(passes, PREPARE) == [3, 3]
    assert run(passes, one_pass(2)) == [2, 1, 2]
    assert passes.epoch == 5
    assert run(passes, one_pass(3)) == [3, 0, 1, 2]


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize(
    "preparation",
    [
        # fit on TensorFlow looks at two batches.
        ["length", "length", "fetch", "fetch", "length", "end"],
        # The first fit on JAX and torch builds metrics from one batch, on GPU of two.
        ["length", "begin", "length", "fetch", "length", "end"],
        ["length", "begin", "length", "fetch", "fetch", "length", "end"],
        PREPARE,
    ],
)
def test_preparation_is_no_pass(preparation, first):
    passes = Passes(3, epoch=4, first=first)
    answers = run(passes, preparation)
    assert set(answers) <= {3, None}
    assert answers.count(None) == preparation.count("fetch")
    assert run(passes, one_pass(3 - first)) == [3 - first, *range(first, 3)]
    assert passes.epoch == 5


def test_the_length_may_be_asked_for_at_the_end_of_a_pass():
    """As on JAX, which makes the next iterator before `on_epoch_end`."""
    passes = Passes(2, first=1)
    assert run(passes, ["begin", "length", "fetch", "length", "end"]) == [1, 1, 2]
    assert run(passes, one_pass(2)) == [2, 0, 1]
    assert passes.epoch == 2


def test_a_pass_that_is_broken_off_begins_anew():
    passes = Passes(4, first=1)
    assert run(passes, ["begin", "length", "fetch", "fetch"]) == [3, 1, 2]
    assert run(passes, PREPARE) == [4, 4]
    assert run(passes, one_pass(3)) == [3, 1, 2, 3]
    assert passes.epoch == 1


def test_a_pass_broken_off_after_its_last_batch_was_fetched_is_over():
    passes = Passes(2)
    assert run(passes, ["begin", "length", "fetch", "fetch"]) == [2, 0, 1]
    looks = ["length", "fetch", "fetch", "length", "end"]
    assert run(passes, looks) == [2, None, None, 2]
    assert passes.epoch == 1
    assert run(passes, one_pass(2)) == [2, 0, 1]


def test_a_pass_may_span_several_epochs_of_keras():
    """As with `steps_per_epoch`, which goes on with the same iterator."""
    passes = Passes(3)
    calls = ["begin", "length", "fetch", "fetch", "end", "begin", "fetch", "end"]
    assert run(passes, calls) == [3, 0, 1, 2]
    assert passes.epoch == 1


def test_a_restart_begins_the_pass_from_its_start():
    passes = Passes(3, first=1)
    run(passes, ["begin", "length", "fetch", "length"])
    assert run(passes, ["restart", "length", "fetch", "fetch", "end"]) == [2, 1, 2]
    assert passes.epoch == 1
