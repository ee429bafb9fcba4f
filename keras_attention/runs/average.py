"""The weights that a training has kept -> a translator with their mean."""

import pathlib

from keras_attention.layers.requirements import require_positive
from keras_attention.runs.run_folder import SETTINGS, mean_of, saved_settings
from keras_attention.runs.starting_point import starting_point


def average_run(folder, number=None):
    """Make a translator of the mean of what a training has kept so far.

    The training need not have ended, nor stopped.

    Args:
        folder: Where `train_translator` writes.
        number: Of how many epochs, the last ones or the best, as the training keeps
            them; None for all that are kept.

    Returns:
        A `Translator`; nothing in the folder is changed but for `mean.weights.h5`.

    Raises:
        FileNotFoundError: The folder is not of a training, or no epoch is done yet.
        ValueError: Fewer epochs' weights are kept, or the number is below 1.

    Example:

        average_run("saved_models/en-de", number=3).write("saved_models/en-de")
    """
    folder = pathlib.Path(folder)
    if number is not None:
        require_positive("average_run", number=number)
    settings = saved_settings(folder)
    if settings is None:
        raise FileNotFoundError(
            f"average_run: got the folder {folder}, but there is no {SETTINGS} in it, "
            f"so it is not of a training. Give a folder that train_translator wrote."
        )
    mean = mean_of(folder, settings, number)
    translator = starting_point(settings, folder)
    translator.model.load_weights(mean)
    return translator
