"""Draw where a model looks, or how its training went.

With a sentence, where the model looks while it translates it: as a picture, or in a
file that ends in .html as a page to explore in a browser. Without one, the curves of
the training in the folder.

  keras-attention plot en-de curves.png
  keras-attention plot en-de dog.png --text "A dog runs."
  keras-attention plot en-de dog.png --text "A dog runs." --kind encoder --layer all
  keras-attention plot en-de dog.html --text "A dog runs."
"""

import pathlib

from keras_attention_cli.start import start_keras

INTERRUPTED = "What was drawn before is still there."


def add_options(parser):
    add = parser.add_argument
    add("model", type=pathlib.Path, metavar="MODEL", help="folder that train wrote")
    add(
        "out",
        type=pathlib.Path,
        metavar="FILE",
        help="picture (.png, .svg, .pdf), or with --text a page (.html)",
    )
    add("--text", metavar="SENTENCE", help="what to translate, and to look at")
    add(
        "--kind",
        choices=("cross", "encoder", "decoder"),
        default="cross",
        help="who looks at whom, in a picture (default: %(default)s, the translation "
        "at the source)",
    )
    number = {"type": number_or_all, "metavar": "N"}
    add("--layer", **number, help="from 0, or all (default: their mean)")
    add("--head", **number, help="from 0, or all (default: their mean)")


def number_or_all(word):
    """What plot_attention takes for a layer or a head."""
    return word if word == "all" else int(word)


def run(options, answers):
    start_keras(options.debug)
    from keras_attention.plots.figure import save_figure

    if options.text is not None and options.out.suffix == ".html":
        from keras_attention.plots.attention_page import attention_page

        attention_page(load(options), options.text, options.out)
    else:
        save_figure(drawn(options), options.out)
    print(f"Drawn to {options.out}.")


def drawn(options):
    """The attention of a sentence, or the curves of the training."""
    if options.text is None:
        from keras_attention.plots.learning_curves import plot_learning_curves
        from keras_attention.runs.run_folder import LOG

        return plot_learning_curves(options.model / LOG)
    from keras_attention.plots.attention_figure import plot_attention

    return plot_attention(
        load(options), options.text, options.kind, options.layer, options.head
    )


def load(options):
    """The translator in the folder."""
    from keras_attention.export.translator import Translator

    return Translator.load(options.model)
