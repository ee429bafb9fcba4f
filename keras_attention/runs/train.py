"""Settings -> a trained translator, in a folder that holds all it came from."""

import dataclasses
import json
import pathlib
import warnings

import keras

from keras_attention.decoding.search_settings import SearchSettings
from keras_attention.files.replaced_file import replaced_file
from keras_attention.models.transformer import PRESETS
from keras_attention.runs.held_out import hold_out
from keras_attention.runs.model_folder import changed
from keras_attention.runs.run_folder import (
    BEST,
    EVALUATION,
    FIELDS,
    LOG,
    STATE,
    checkpoints_of,
    claim,
    mean_of,
    require_own,
    saved_settings,
)
from keras_attention.runs.starting_point import (
    keep_tokenizers,
    search_settings,
    starting_point,
)
from keras_attention.text.corpus import read_sentence_pairs
from keras_attention.text.dataset import translation_dataset
from keras_attention.training.accumulation import accumulation_steps
from keras_attention.training.bad_loss import StopOnBadLoss
from keras_attention.training.bleu import BleuCallback
from keras_attention.training.evaluation import evaluate
from keras_attention.training.fast_road import choose_fast_road
from keras_attention.training.log_table import LogTable
from keras_attention.training.resume import ResumableTraining


def train_translator(settings, folder, verbose=1):
    """Train a translator on sentence pairs, and keep all that it came from in a folder.

    The folder then holds what `Translator.load` reads, and beside it:

        settings.toml     all settings, with what was chosen for those left open
        log.csv           the figures of each epoch
        state             what a training that was stopped goes on from
        checkpoints/      the weights of the epochs that are averaged
        best.weights.h5   those of the best BLEU
        evaluation.json   BLEU, chrF and TER of the sentences tested on

    Called again with the same settings and folder, after a kill at any moment, it goes
    on from the last state saved; with more epochs it trains on; and when there is
    nothing left to do it returns what is there.

    With `pretrained` it trains a model on that was trained before, here or as
    opus-mt. Its vocabulary, its sizes and its search are kept; the paper's schedule
    begins anew, with a peak as low as such a model wants it.

    Args:
        settings: `TrainingSettings`.
        folder: Where it all goes: new, empty, or of a training with these settings.
        verbose: As for `fit`: 1 shows progress bars, 2 a line for each epoch.

    Returns:
        The `Translator`, with the mean of the weights of the epochs kept.

    Raises:
        FileExistsError: The folder holds other things, or another training.
        FileNotFoundError, ValueError: The sentences cannot be read, or do not fit
            together; a setting does not fit another.
        FloatingPointError: The loss was not finite: see `StopOnBadLoss`.

    Example:

        settings = TrainingSettings("train.en", "train.de", preset="tiny", epochs=30)
        translator = train_translator(settings, "saved_models/en-de")
        translator(["A dog runs."])
    """
    pairs, valid_pairs = read_pairs(settings)
    settings = complete(settings, saved_settings(folder))
    require_own(folder, settings)
    keras.utils.set_random_seed(settings.seed)
    translator = starting_point(settings, folder, pairs)
    translator = with_room_for(translator, valid_pairs[0])
    model = translator.model
    batches, valid_batches = (
        make_batches(settings, translator, lines, shuffle)
        for lines, shuffle in ((pairs, True), (valid_pairs, False))
    )
    # Only now, as what can not be used is to leave no folder that insists on it.
    folder = claim(folder, settings)
    keep_tokenizers((translator.source_tokenizer, translator.target_tokenizer), folder)
    announce(settings, model, pairs, valid_pairs, batches, verbose)
    resume = ResumableTraining(
        folder / STATE,
        model,
        batches,
        every=settings.save_every,
        callbacks=make_callbacks(settings, folder, translator, batches, valid_pairs),
    )
    model.fit(
        **resume.fit_arguments(),
        epochs=settings.epochs,
        validation_data=valid_batches,
        verbose=verbose,
    )
    model.load_weights(mean_of(folder, settings))
    measure(translator, folder, valid_pairs, verbose)
    translator.write(folder)
    return translator


def read_pairs(settings):
    """(sources, targets) to learn from, and to test on."""
    pairs = read_sentence_pairs(settings.source, settings.target)
    if settings.valid_source is None:
        pairs, valid = hold_out(pairs, settings.seed)
    else:
        valid = read_sentence_pairs(settings.valid_source, settings.valid_target)
    return (pairs[::-1], valid[::-1]) if settings.swap else (pairs, valid)


def complete(settings, saved=None):
    """Choose what the settings leave open: as was saved, by the preset, the machine."""
    settings = dataclasses.replace(settings, **absolute_paths(settings))
    settings = where_open(settings, dataclasses.asdict(saved) if saved else {})
    if settings.pretrained is None:
        settings = where_open(settings, defaults("new"))
        preset = {"dropout_rate": 0.1, **PRESETS[settings.preset]}
        settings = where_open(settings, preset)
        peak_rate = (settings.d_model * settings.warmup_steps) ** -0.5
        same = {"num_decoder_layers": settings.num_layers, "peak_rate": peak_rate}
        settings = where_open(settings, same)
    else:
        settings = where_open(settings, defaults("pretrained"))
    machine = {"dtype": choose_fast_road().dtype_policy}
    settings = where_open(settings, {"update_tokens": settings.batch_tokens, **machine})
    SearchSettings(**search_settings(settings))  # Better refused now than at the end.
    require_best(settings)
    return settings


def require_best(settings):
    """Raise ValueError if no epoch would ever be the best one."""
    if settings.keep == "best" and settings.bleu_every > settings.epochs:
        raise ValueError(
            f"train_translator: got keep='best' and bleu_every={settings.bleu_every}, "
            f"but training ends after epochs={settings.epochs}, before any BLEU is "
            f"measured. Lower bleu_every, or leave keep='last'."
        )


def defaults(kind):
    """What the settings have, where nothing is said, for a "new" or other model."""
    return {field.name: field.metadata[kind] for field in FIELDS}


def where_open(settings, values):
    """Settings with these values wherever they have none."""
    chosen = {
        name: value for name, value in values.items() if getattr(settings, name) is None
    }
    return dataclasses.replace(settings, **chosen)


def absolute_paths(settings):
    """The files of a training, by names that hold from any folder."""
    paths = {
        name: getattr(settings, name)
        for name in ("source", "target", "valid_source", "valid_target", "pretrained")
    }
    return {
        name: str(pathlib.Path(path).resolve())
        for name, path in paths.items()
        if path is not None
    }


def with_room_for(translator, sources):
    """A translator like another, for which none of the sources is too long."""
    lengths = translator.source_tokenizer.tokenize(sources).row_lengths().numpy()
    longest = int(lengths.max()) + 1  # with END
    room = max(translator.max_source_length, longest)
    return changed(translator, max_source_length=room)


def make_batches(settings, translator, pairs, shuffle):
    """Pairs of sentences -> batches for `fit`."""
    return translation_dataset(
        *pairs,
        translator.source_tokenizer,
        translator.target_tokenizer,
        batch_tokens=settings.batch_tokens,
        max_length=settings.max_length,
        shuffle=shuffle,
        seed=settings.seed,
    )


def announce(settings, model, pairs, valid_pairs, batches, verbose):
    """Say what is trained on what; warn of a rate that will not come to its peak."""
    accumulated = accumulation_steps(settings.update_tokens, settings.batch_tokens)
    updates = settings.epochs * len(batches) // (accumulated or 1)
    if verbose:
        print(
            f"{len(pairs[0]):,} pairs to learn from, {len(valid_pairs[0]):,} to test "
            f"on; {model.count_params():,} parameters; {updates:,} updates in "
            f"{settings.epochs} epochs"
        )
    if updates <= settings.warmup_steps:
        warnings.warn(
            f"train_translator: got warmup_steps={settings.warmup_steps}, but the "
            f"whole training has {updates} updates, so the learning rate never comes "
            f"to its peak. Give fewer, such as {max(1, updates // 8)}, or more epochs.",
            stacklevel=3,
        )


def make_callbacks(settings, folder, translator, batches, valid_pairs):
    """What watches a training, and keeps what comes of it."""
    bleu = BleuCallback(
        changed(translator, beam_size=1),
        *valid_pairs,
        every=settings.bleu_every,
        patience=settings.patience,
        best=folder / BEST,
    )
    return [
        StopOnBadLoss(batches),
        bleu,
        checkpoints_of(folder, settings),
        LogTable(folder / LOG),
    ]


def measure(translator, folder, pairs, verbose):
    """Translate what was tested on, and write and print what sacrebleu says of it."""
    sources, references = pairs
    evaluation = evaluate(translator(sources, verbose=verbose == 1), references)
    if verbose:
        print(f"\n{len(sources):,} sentences tested on:\n{evaluation}")
    with replaced_file(folder / EVALUATION) as aside:
        aside.write_text(json.dumps(dataclasses.asdict(evaluation), indent=2) + "\n")
