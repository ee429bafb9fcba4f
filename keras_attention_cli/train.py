"""Train a translator on parallel text.

One folder comes out of it, with the model, its tokenizers, all settings and the log of
the training. Killed or stopped by Ctrl-C, the training goes on by the same command,
from the last state saved. With --pretrained it trains a model on: one of its own, or
any in Marian's format, such as opus-mt.

  keras-attention train --source train.en --target train.de \\
      --valid-source val.en --valid-target val.de --out en-de --epochs 30
  keras-attention train --source pairs.tsv --swap --out ko-en
  keras-attention train --config en-de/settings.toml --seed 1 --out en-de-1
  keras-attention train --out en-de --epochs 40        ten epochs more
  keras-attention train --pretrained opus-mt-ko-en --source my.ko --target my.en \\
      --out my-ko-en
"""

import pathlib
import sys

from keras_attention_cli.settings_options import (
    TrainingSettings,
    add_settings,
    settings_given,
)
from keras_attention_cli.start import start_keras

INTERRUPTED = "To go on: the same command."


def add_options(parser):
    parser.usage = "%(prog)s --out FOLDER [--config FILE] [settings]"
    add = parser.add_argument
    add(
        "--out",
        type=pathlib.Path,
        required=True,
        metavar="FOLDER",
        help="new, or that of a training to go on with",
    )
    add(
        "--config",
        type=pathlib.Path,
        metavar="FILE",
        help="settings as TOML, such as another training's settings.toml",
    )
    add_settings(parser, ("data", "text", "model", "training", "decoding"))


def run(options, answers):
    saved = options.out / "settings.toml"
    values = settings_given(options, saved if saved.exists() else None, options.config)
    TrainingSettings(**values)  # Better refused before Keras is imported.

    start_keras(options.debug)
    from keras_attention.runs.settings import TrainingSettings as Settings
    from keras_attention.runs.train import train_translator

    verbose = 1 if sys.stderr.isatty() else 2
    train_translator(Settings(**values), options.out, verbose=verbose)
    print(f"Trained. To use it: keras-attention translate {options.out}")
