"""Average the weights of a training's epochs, which often is a better model.

The training does it when it ends; this does it again, over another number of epochs,
or while the training still goes on.

  keras-attention average en-de --number 3
  keras-attention average en-de --out en-de-so-far
"""

import pathlib

from keras_attention_cli.start import start_keras

INTERRUPTED = "What was there is still there."


def add_options(parser):
    add = parser.add_argument
    add("run_folder", type=pathlib.Path, metavar="FOLDER", help="that train wrote")
    add(
        "--number",
        type=int,
        metavar="N",
        help="of how many epochs, the last or the best, as the training keeps them "
        "(default: all that are kept)",
    )
    add(
        "--out",
        type=pathlib.Path,
        metavar="FOLDER",
        help="where the model is to be (default: in place of the training's)",
    )


def run(options, answers):
    start_keras(options.debug)
    from keras_attention.runs.average import average_run

    translator = average_run(options.run_folder, options.number)
    if options.out is None:
        translator.write(options.run_folder)
    else:
        translator.save(options.out)
    folder = options.out or options.run_folder
    print(f"Averaged. To use it: keras-attention translate {folder}")
