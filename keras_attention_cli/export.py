"""Export a model: for TensorFlow Serving, or for transformers and CTranslate2.

Sentences in, sentences out: the SavedModel needs nothing of this package. Its
signatures are serving_default (beam search), greedy, n_best, score and attention.
With --format marian it is a folder as Hugging Face's hub has it, for transformers'
MarianMTModel and CTranslate2's converter.

  keras-attention export en-de served/en-de/1
  keras-attention export en-de served/en-de/2 --dtype int8 --warm-up examples.en
  keras-attention export en-de en-de-marian --format marian
"""

import argparse
import pathlib

from keras_attention_cli.start import start_keras

INTERRUPTED = "What was exported before is still there."

# Of a SavedModel alone; unset, they are not among the options at all.
OF_SERVING = {"default": argparse.SUPPRESS}


def add_options(parser):
    add = parser.add_argument
    add(
        "model",
        type=pathlib.Path,
        metavar="MODEL",
        help="folder that train wrote, or in Marian's format",
    )
    add(
        "out",
        type=pathlib.Path,
        metavar="FOLDER",
        help="where it goes; a server wants a name and a version: served/en-de/1",
    )
    add(
        "--format",
        choices=("savedmodel", "marian"),
        default="savedmodel",
        help="what is written (default: %(default)s)",
    )
    group = parser.add_argument_group("of a SavedModel")
    add = group.add_argument
    add(
        "--dtype",
        choices=("float32", "bfloat16", "int8"),
        help="what it computes in (default: what the model does)",
        **OF_SERVING,
    )
    add(
        "--batch-size",
        type=int,
        metavar="N",
        help="sentences of a request translated at once (default: 64)",
        **OF_SERVING,
    )
    add(
        "--warm-up",
        metavar="FILE",
        help="sentences that a server translates before it answers anyone",
        **OF_SERVING,
    )


def run(options, answers):
    names = "dtype", "batch_size", "warm_up"
    serving = {name: value for name, value in vars(options).items() if name in names}
    if options.format == "marian":
        require_none_of_serving(serving)

    start_keras(options.debug)
    from keras_attention.interop.marian import save_marian
    from keras_attention.runs.lines import lines_of
    from keras_attention.runs.model_folder import load_translator

    if "warm_up" in serving:
        serving["warm_up"] = list(lines_of([options.warm_up]))
    translator = load_translator(options.model)
    if options.format == "marian":
        save_marian(translator, options.out)
    else:
        translator.export(options.out, **serving)
    print(f"Exported to {options.out}.")


def require_none_of_serving(given):
    """Raise ValueError if something is said that only a SavedModel has."""
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ValueError(
            f"export: got --format marian with {flags}, but that is of a SavedModel. "
            f"Leave it out, or export without --format marian."
        )
