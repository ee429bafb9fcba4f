"""Sentences and ranges of settings -> the best settings found, ready to train with."""

import dataclasses
import pathlib

import keras

from keras_attention.export.translator import Translator
from keras_attention.files.replaced_file import replaced_file
from keras_attention.runs.run_folder import FIELDS
from keras_attention.runs.settings_file import write_settings
from keras_attention.runs.starting_point import make_tokenizers
from keras_attention.runs.train import complete, read_pairs, with_room_for
from keras_attention.training.bleu import BleuCallback
from keras_attention.training.fast_road import choose_fast_road

BEST = "best.toml"
TABLE = "trials.txt"
PLOT = "trials.png"
TRIALS = "search"


def tune_translator(
    settings,
    folder,
    *,
    max_trials,
    epochs,
    objective="val_loss",
    algorithm="random",
    max_parameters=None,
    verbose=1,
    **ranges,
):
    """Search for the settings with which translators of sentence pairs come out best.

    The folder then holds

        best.toml    all settings, those of the best trial among them, to train with
        trials.txt   a table of the trials
        trials.png   how the objective goes with each setting
        search/      what a search that was stopped goes on from

    Keras's global dtype policy is set to that of the settings.

    Args:
        settings: `TrainingSettings`, of which the data, the vocabulary and what is not
            searched are taken.
        folder: Where it all goes: new, empty, or of a search for the same.
        max_trials, epochs, objective, algorithm, verbose: See `tuning.tune`.
        max_parameters, **ranges: See `tuning.TransformerHyperModel`.

    Returns:
        The `TuningResult`; in a worker of a distributed search None.

    Raises:
        FileExistsError: The folder holds other things.
        ImportError: keras-tuner is not installed.
        ValueError, TypeError: As for `tune` and `TransformerHyperModel`; or for
            settings that train a pretrained model on.

    Example:

        settings = TrainingSettings("train.en", "train.de")
        tune_translator(settings, "search", max_trials=20, epochs=5, d_model=[64, 128])
    """
    from keras_attention.tuning import TransformerHyperModel, tune

    folder = pathlib.Path(folder)
    require_new_model(settings)
    require_search_folder(folder)
    train_pairs, valid_pairs = read_pairs(settings)
    settings = complete(settings)
    keras.config.set_dtype_policy(settings.dtype)  # The trials take it from there.
    # Not kept: the same sentences and settings make the same ones again.
    tokenizers = make_tokenizers(settings, folder / TRIALS, train_pairs)

    def measure_bleu(model):
        greedy = Translator(model, *tokenizers, beam_size=1)
        return [BleuCallback(with_room_for(greedy, valid_pairs[0]), *valid_pairs)]

    hyper_model = TransformerHyperModel(
        *(tokenizer.vocab_size for tokenizer in tokenizers),
        share_embeddings=settings.share_vocabulary,
        max_parameters=max_parameters,
        max_length=settings.max_length,
        callbacks=measure_bleu if objective == "val_bleu" else None,
        jit_compile=choose_fast_road().jit_compile,
        **ranges,
    )
    train, valid = (
        [tokenizer.tokenize(lines) for tokenizer, lines in zip(tokenizers, pairs)]
        for pairs in (train_pairs, valid_pairs)
    )
    result = tune(
        hyper_model,
        train,
        valid,
        folder / TRIALS,
        max_trials=max_trials,
        epochs=epochs,
        objective=objective,
        algorithm=algorithm,
        seed=settings.seed + 1,
        verbose=verbose,
    )
    if result is not None:
        write_result(result, settings, folder)
    return result


def write_result(result, settings, folder):
    """Put what was found into files."""
    # As each trial had it: an update a batch, and projections without biases.
    best = {"update_tokens": None, "use_bias": False, **result.best_settings}
    with replaced_file(folder / BEST) as aside:
        write_settings(aside, dataclasses.replace(settings, **best), FIELDS)
    with replaced_file(folder / TABLE) as aside:
        aside.write_text(f"{result}\n", encoding="utf-8")
    result.plot(folder / PLOT)


def require_new_model(settings):
    """Raise ValueError if it is a pretrained model that the settings train."""
    if settings.pretrained is not None:
        raise ValueError(
            f"tune_translator: got pretrained={settings.pretrained!r}, but a search "
            f"makes new models of many sizes. Leave it out."
        )


def require_search_folder(folder):
    """Raise FileExistsError unless a folder is new, empty, or of a search."""
    if folder.is_file():
        raise FileExistsError(
            f"tune_translator: got {folder}, but that is a file, and a folder is to be "
            f"written. Give the path of a new folder."
        )
    if folder.is_dir() and any(folder.iterdir()) and not (folder / TRIALS).is_dir():
        raise FileExistsError(
            f"tune_translator: got the folder {folder}, but it holds other things and "
            f"no {TRIALS}. Give a new or empty folder, or that of a search to go on "
            f"with."
        )
