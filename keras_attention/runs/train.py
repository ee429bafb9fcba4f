"""Settings -> a trained translator, in a folder that holds all it came from."""

import dataclasses
import json
import math
import pathlib

import keras

from keras_attention.decoding.search_settings import SearchSettings
from keras_attention.export.translator import SOURCE_FILE, TARGET_FILE, Translator
from keras_attention.models.transformer import PRESETS, Transformer
from keras_attention.runs.held_out import hold_out
from keras_attention.runs.run_folder import (
    BEST,
    EVALUATION,
    LOG,
    STATE,
    checkpoints_of,
    claim,
    mean_of,
    saved_settings,
)
from keras_attention.text.corpus import read_sentence_pairs
from keras_attention.text.dataset import translation_dataset
from keras_attention.text.tokenizer import SubwordTokenizer
from keras_attention.training.accumulation import accumulation_steps
from keras_attention.training.bad_loss import StopOnBadLoss
from keras_attention.training.bleu import BleuCallback
from keras_attention.training.evaluation import evaluate
from keras_attention.training.fast_road import choose_fast_road
from keras_attention.training.log_table import LogTable
from keras_attention.training.loss import MaskedCrossentropy
from keras_attention.training.metrics import MaskedAccuracy, Perplexity
from keras_attention.training.replaced_file import replaced_file
from keras_attention.training.resume import ResumableTraining
from keras_attention.training.schedule import WarmupSchedule


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
    folder = claim(folder, settings)
    keras.utils.set_random_seed(settings.seed)
    tokenizers = make_tokenizers(settings, folder, pairs)
    batches, valid_batches = (
        make_batches(settings, tokenizers, lines, shuffle)
        for lines, shuffle in ((pairs, True), (valid_pairs, False))
    )
    model = make_model(settings, tokenizers)
    # No sentence that is tested on may be too long for what translates it.
    longest = longest_source(tokenizers, valid_pairs)
    translator = Translator(
        model, *tokenizers, max_source_length=longest, **search_settings(settings)
    )
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
    preset = {"dropout_rate": 0.1, **PRESETS[settings.preset]}
    settings = where_open(settings, dataclasses.asdict(saved) if saved else {})
    settings = where_open(settings, preset)
    settings = where_open(
        settings,
        {
            "num_decoder_layers": settings.num_layers,
            "update_tokens": settings.batch_tokens,
            "peak_rate": (settings.d_model * settings.warmup_steps) ** -0.5,
            "dtype": choose_fast_road().dtype_policy,
        },
    )
    SearchSettings(**search_settings(settings))  # Better refused now than at the end.
    return settings


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
        for name in ("source", "target", "valid_source", "valid_target")
    }
    return {
        name: str(pathlib.Path(path).resolve())
        for name, path in paths.items()
        if path is not None
    }


def search_settings(settings):
    """What `SearchSettings` is told."""
    return {
        "beam_size": settings.beam_size,
        "length_penalty": settings.length_penalty,
    }


def make_tokenizers(settings, folder, pairs):
    """(source, target) tokenizers: those in the folder, or new ones put there."""
    paths = [folder / SOURCE_FILE, folder / TARGET_FILE]
    if not paths[1].exists():  # The last to be written.
        sides = [[*pairs[0], *pairs[1]]] * 2 if settings.share_vocabulary else pairs
        for path, lines in zip(paths, sides):
            tokenizer = SubwordTokenizer.train(
                lines,
                vocab_size=settings.vocab_size,
                model_type=settings.model_type,
                normalization=settings.normalization,
            )
            with replaced_file(path) as aside:
                tokenizer.save(aside)
    return [SubwordTokenizer.load(path) for path in paths]


def make_batches(settings, tokenizers, pairs, shuffle):
    """Pairs of sentences -> batches for `fit`."""
    return translation_dataset(
        *pairs,
        *tokenizers,
        batch_tokens=settings.batch_tokens,
        max_length=settings.max_length,
        shuffle=shuffle,
        seed=settings.seed,
    )


def make_model(settings, tokenizers):
    """The Transformer, compiled with the paper's optimizer at the peak wanted."""
    source_tokenizer, target_tokenizer = tokenizers
    model = Transformer(
        source_tokenizer.vocab_size,
        target_tokenizer.vocab_size,
        share_embeddings=settings.share_vocabulary,
        **{
            name: getattr(settings, name)
            for name in (
                "num_layers",
                "num_decoder_layers",
                "d_model",
                "num_heads",
                "d_ff",
                "dropout_rate",
                "norm_first",
                "use_bias",
                "dtype",
            )
        },
    )
    accumulated = accumulation_steps(settings.update_tokens, settings.batch_tokens)
    # Keras counts batches, where the settings count updates.
    warmup = settings.warmup_steps * (accumulated or 1)
    scale = settings.peak_rate * math.sqrt(settings.d_model * warmup)
    model.compile(
        optimizer=keras.optimizers.Adam(
            WarmupSchedule(settings.d_model, warmup, scale),
            beta_1=0.9,
            beta_2=0.98,
            epsilon=1e-9,
            gradient_accumulation_steps=accumulated,
        ),
        loss=MaskedCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=[MaskedAccuracy(), Perplexity()],
        jit_compile=choose_fast_road().jit_compile,
    )
    return model


def longest_source(tokenizers, pairs):
    """Tokens of the longest source, END included; at least what Translator takes."""
    lengths = tokenizers[0].tokenize(pairs[0]).row_lengths().numpy()
    return max(512, int(lengths.max()) + 1)


def make_callbacks(settings, folder, translator, batches, valid_pairs):
    """What watches a training, and keeps what comes of it."""
    greedy = Translator(
        translator.model,
        translator.source_tokenizer,
        translator.target_tokenizer,
        max_source_length=translator.max_source_length,
        beam_size=1,
    )
    bleu = BleuCallback(
        greedy,
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
    print(f"\n{len(sources)} sentences tested on:\n{evaluation}")
    with replaced_file(folder / EVALUATION) as aside:
        aside.write_text(json.dumps(dataclasses.asdict(evaluation), indent=2) + "\n")
