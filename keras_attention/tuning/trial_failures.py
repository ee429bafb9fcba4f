"""What happens in a trial -> a trial that failed, or an end of the search."""

import contextlib

from keras_tuner.errors import FailedTrialError, FatalRuntimeError

# How TensorFlow, JAX, torch and C++ say it, as their errors are of no common class.
OUT_OF_MEMORY = ("resource_exhausted", "out of memory", "can't allocate", "bad_alloc")


@contextlib.contextmanager
def trial_failures(settings: dict):
    """Let KerasTuner count a trial as failed that lacked memory or diverged.

    Anything else is an error in the data, the callbacks or the program: it would fail
    the next trials, too, so it ends the search, which goes on when it is mended.

    Args:
        settings: Of the trial, for the messages.

    Raises:
        FailedTrialError: The memory did not suffice, or a loss was not finite.
        FatalRuntimeError: From any other error.
    """
    try:
        yield
    except FailedTrialError:
        raise
    except FloatingPointError as error:
        raise FailedTrialError(f"diverged: {error}") from error
    except Exception as error:
        if is_out_of_memory(error):
            first_line = str(error).partition("\n")[0]
            raise FailedTrialError(
                f"out of memory: {type(error).__name__} {first_line}"
            ) from error
        raise FatalRuntimeError(
            f"TransformerHyperModel: got {type(error).__name__} in the trial of "
            f"{settings} ({error}), but that is neither a lack of memory nor a bad "
            f"loss. Mend what raised it and start again: the search goes on."
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error, of whatever backend, tells of a lack of memory."""
    text = f"{type(error).__name__} {error}".lower()
    known = isinstance(error, MemoryError) or "resourceexhausted" in text
    return known or any(words in text for words in OUT_OF_MEMORY)
