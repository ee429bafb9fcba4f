"""Search for the settings with which translators come out best.

Each trial trains a translator for some epochs. The best settings come out as a file to
train with; killed or stopped by Ctrl-C, the search goes on by the same command.

  keras-attention tune --source train.en --target train.de --out search \\
      --trials 20 --epochs 5 --range d_model=64,128 --range dropout_rate=0.0:0.3
  keras-attention train --config search/best.toml --epochs 30 --out en-de
"""

import argparse
import pathlib
import sys

from keras_attention_cli.settings_options import (
    TrainingSettings,
    add_settings,
    settings_given,
)
from keras_attention_cli.start import start_keras

INTERRUPTED = "To go on: the same command."

SEARCHED = (
    "num_layers",
    "num_decoder_layers",
    "d_model",
    "num_heads",
    "d_ff",
    "dropout_rate",
    "norm_first",
    "label_smoothing",
    "peak_rate",
    "warmup_steps",
    "batch_tokens",
)


def add_options(parser):
    parser.usage = "%(prog)s --source PATH --out FOLDER --trials N [settings]"
    add = parser.add_argument
    add(
        "--out",
        type=pathlib.Path,
        required=True,
        metavar="FOLDER",
        help="new, or that of a search to go on with",
    )
    add("--config", type=pathlib.Path, metavar="FILE", help="settings as TOML")
    add("--trials", type=int, required=True, metavar="N", help="trials, at most")
    add(
        "--epochs",
        dest="trial_epochs",
        type=int,
        default=5,
        metavar="N",
        help="epochs of a trial (default: 5)",
    )
    add(
        "--objective",
        choices=("val_loss", "val_accuracy", "val_perplexity", "val_bleu"),
        default="val_loss",
        help="what trials are compared by (default: %(default)s)",
    )
    add(
        "--algorithm",
        choices=("random", "bayesian", "hyperband"),
        default="random",
        help="how settings are proposed (default: %(default)s)",
    )
    add("--max-parameters", type=int, metavar="N", help="of a model, at most")
    add(
        "--range",
        dest="ranges",
        type=read_range,
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="what to try for a setting: one value, several with commas between "
        f"them, or LOWEST:HIGHEST. Names: {', '.join(SEARCHED)}. What is not named "
        "has a usual range",
    )
    add_settings(parser, ("data", "text"))


def run(options, answers):
    settings = TrainingSettings(**settings_given(options, options.config))

    start_keras(options.debug)
    from keras_attention.runs.settings import TrainingSettings as Settings
    from keras_attention.runs.tune import tune_translator

    result = tune_translator(
        Settings(**vars(settings)),
        options.out,
        max_trials=options.trials,
        epochs=options.trial_epochs,
        objective=options.objective,
        algorithm=options.algorithm,
        max_parameters=options.max_parameters,
        verbose=1 if sys.stderr.isatty() else 2,
        **dict(options.ranges),
    )
    if result is not None:  # A worker knows its own trials alone.
        print(result, file=answers)
        best = options.out / "best.toml"
        print(f"To use the best: keras-attention train --config {best} --out FOLDER")


def read_range(text):
    """name=1, name=1,2,3 or name=0.0:0.3 -> (name, what the hyper model takes)."""
    name, equals, values = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no range: give NAME=VALUES, such as d_model=64,128"
        )
    if name not in SEARCHED:
        raise argparse.ArgumentTypeError(
            f"{name!r} is nothing to search for: give one of {', '.join(SEARCHED)}"
        )
    if ":" in values:
        return name, tuple(map(read_value, values.split(":")))
    return name, list(map(read_value, values.split(",")))


def read_value(text):
    """A number, or true or false."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no value: give a number, true or false"
        ) from None
