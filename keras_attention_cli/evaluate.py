"""Measure translations by BLEU, chrF and TER.

The model translates the source, and sacrebleu compares what comes with the target; or
it compares translations that are there already. Each figure comes with its signature:
only figures of one signature can be compared.

  keras-attention evaluate en-de --source test.en --target test.de
  keras-attention evaluate en-de --source pairs.tsv --output answers.txt
  keras-attention evaluate --translations answers.de --target test.de
"""

import pathlib
import sys

from keras_attention_cli.start import start_keras

INTERRUPTED = "Nothing was measured."


def add_options(parser):
    add = parser.add_argument
    add(
        "model",
        type=pathlib.Path,
        nargs="?",
        metavar="MODEL",
        help="folder that train wrote, or in Marian's format; none with --translations",
    )
    add("--source", metavar="FILE", help="sentences, or pairs with a tab between them")
    add("--target", metavar="FILE", help="their translations by people, line by line")
    add("--translations", metavar="FILE", help="what to measure, where it is there")
    add("--output", type=pathlib.Path, metavar="FILE", help="keep the translations")
    add("--swap", action="store_true", help="translate from target to source")
    add("--lowercase", action="store_true", help='BLEU and chrF take "A" for "a"')
    add(
        "--tokenize",
        default="13a",
        metavar="NAME",
        help="sacrebleu's name of how sentences are cut into words: none at spaces "
        "alone, zh, ja-mecab, ko-mecab and others (default: %(default)s)",
    )


def run(options, answers):
    require_one_way(options)

    start_keras(options.debug)
    from keras_attention.text.corpus import read_sentence_pairs
    from keras_attention.training.evaluation import evaluate

    if options.model is None:
        translations, references = read_sentence_pairs(
            options.translations, options.target
        )
    else:
        sources, references = read_sentence_pairs(options.source, options.target)
        if options.swap:
            sources, references = references, sources
        translations = translate(options, sources)
    print(
        evaluate(translations, references, options.lowercase, options.tokenize),
        file=answers,
    )


def translate(options, sources):
    """What the model makes of the sources; kept in a file where that is wanted."""
    from keras_attention.files.replaced_file import replaced_file
    from keras_attention.runs.model_folder import load_translator

    translator = load_translator(options.model)
    translations = translator(sources, verbose=int(sys.stderr.isatty()))
    if options.output is not None:
        with replaced_file(options.output) as aside:
            aside.write_text("".join(f"{line}\n" for line in translations), "utf-8")
    return translations


def require_one_way(options):
    """Raise ValueError unless it is clear what is to be measured."""
    if options.model is None and options.translations and options.target:
        return
    if options.model is not None and options.source and not options.translations:
        return
    raise ValueError(
        "evaluate: got neither a MODEL with --source (and --target), nor "
        "--translations with --target, but one of the two is needed. See "
        "keras-attention evaluate --help."
    )
