"""Export a model for TensorFlow Serving: sentences in, sentences out.

The SavedModel needs nothing of this package. Its signatures are serving_default (beam
search), greedy, n_best, score and attention.

  keras-attention export en-de served/en-de/1
  keras-attention export en-de served/en-de/2 --dtype int8 --warm-up examples.en
"""

import pathlib

from keras_attention_cli.start import start_keras

INTERRUPTED = "What was exported before is still there."


def add_options(parser):
    add = parser.add_argument
    add("model", type=pathlib.Path, metavar="MODEL", help="folder that train wrote")
    add(
        "out",
        type=pathlib.Path,
        metavar="FOLDER",
        help="for the SavedModel; a server wants a name and a version: en-de/1",
    )
    add(
        "--dtype",
        choices=("float32", "bfloat16", "int8"),
        help="what it computes in (default: what the model does)",
    )
    add(
        "--batch-size",
        type=int,
        default=64,
        metavar="N",
        help="sentences of a request translated at once (default: %(default)s)",
    )
    add(
        "--warm-up",
        metavar="FILE",
        help="sentences that a server translates before it answers anyone",
    )


def run(options, answers):
    start_keras(options.debug)
    from keras_attention.export.translator import Translator
    from keras_attention.runs.lines import lines_of

    warm_up = list(lines_of([options.warm_up])) if options.warm_up else []
    translator = Translator.load(options.model)
    translator.export(options.out, options.dtype, options.batch_size, warm_up)
    print(f"Exported to {options.out}.")
