"""A trial without memory or with a bad loss has failed; anything else is an error."""

import pytest
from keras_tuner.errors import FailedTrialError, FatalRuntimeError

from keras_attention.tuning.trial_failures import is_out_of_memory, trial_failures


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


LACKS_OF_MEMORY = [
    MemoryError(),
    ResourceExhaustedError("when allocating tensor with shape[8,9]"),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes."),
    OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 99 bytes."),
]


@pytest.mark.parametrize("error", LACKS_OF_MEMORY, ids=repr)
def test_a_trial_that_lacks_memory_has_failed(error):
    assert is_out_of_memory(error)
    with pytest.raises(FailedTrialError, match=f"memory: {type(error).__name__}"):
        with trial_failures({}):
            raise error


def test_a_trial_that_diverges_has_failed():
    with pytest.raises(FailedTrialError, match="diverged: the loss is nan"):
        with trial_failures({}):
            raise FloatingPointError("the loss is nan")


def test_a_failed_trial_stays_one():
    with pytest.raises(FailedTrialError, match="^too slow$"):
        with trial_failures({}):
            raise FailedTrialError("too slow")


def test_an_error_of_another_kind_ends_the_search():
    assert not is_out_of_memory(KeyError("bleu"))
    with pytest.raises(
        FatalRuntimeError,
        match=r"TransformerHyperModel: got KeyError in the trial of {'d_ff': 8} "
        r"\('bleu'\), but.*Mend",
    ) as caught:
        with trial_failures({"d_ff": 8}):
            raise KeyError("bleu")
    assert isinstance(caught.value.__cause__, KeyError)
