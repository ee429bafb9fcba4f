"""Translate sentences, a line each.

They come from files or standard input; the translations go to standard output, in
order, and nothing else does.

  keras-attention translate en-de test.en > answers.de
  echo "A dog runs." | keras-attention translate en-de
  keras-attention translate en-de --n-best 3 test.en    line, score and translation
"""

import itertools
import pathlib
import sys
import time

from keras_attention_cli.start import start_keras

INTERRUPTED = "What was printed so far is whole lines."


def add_options(parser):
    add = parser.add_argument
    add(
        "model",
        type=pathlib.Path,
        metavar="MODEL",
        help="folder that train wrote, or in Marian's format",
    )
    add(
        "files",
        nargs="*",
        metavar="FILE",
        help="sentences, plain or .gz; none, or -, for standard input",
    )
    add("--n-best", type=int, metavar="N", help="print so many for each sentence")
    add("--scores", action="store_true", help="print the score of each, and a tab")
    add("--beam-size", type=int, metavar="N", help="instead of the model's own")
    add("--length-penalty", type=float, metavar="X", help="instead of the model's own")
    add(
        "--buffer",
        type=int,
        default=1024,
        metavar="N",
        help="lines read before they are translated; 1 answers each line at once "
        "(default: %(default)s, and 1 at a terminal)",
    )
    add(
        "--batch-size",
        type=int,
        default=64,
        metavar="N",
        help="sentences translated at once (default: %(default)s)",
    )


def run(options, answers):
    start_keras(options.debug)
    from keras_attention.layers.requirements import require_positive
    from keras_attention.runs.lines import lines_of

    require_positive("translate", buffer=options.buffer)
    if options.n_best is not None:
        require_positive("translate", n_best=options.n_best)
    lines = lines_of(options.files)
    translator = load(options)
    waiting = options.files in ([], ["-"]) and sys.stdin.isatty()
    buffer = 1 if waiting else options.buffer
    done, started = 0, time.perf_counter()
    while texts := list(itertools.islice(lines, buffer)):
        for line in translated(translator, texts, done + 1, options):
            print(line, file=answers)
        answers.flush()
        done += len(texts)
    seconds = time.perf_counter() - started
    sentences = "1 sentence" if done == 1 else f"{done:,} sentences"
    print(f"keras-attention translate: {sentences} in {seconds:.1f} s")


def load(options):
    """The translator, with what the options say of its search."""
    from keras_attention.runs.model_folder import load_translator

    said = {
        "beam_size": options.beam_size,
        "length_penalty": options.length_penalty,
    }
    said = {name: value for name, value in said.items() if value is not None}
    return load_translator(options.model, **said)


def translated(translator, texts, first, options):
    """Lines to print for texts, the first of which is that number."""
    common = {"batch_size": options.batch_size, "verbose": int(sys.stderr.isatty())}
    if not options.scores and not options.n_best:
        yield from map(flat, translator(texts, **common))
        return
    found = translator.n_best(texts, options.n_best or 1, **common)
    for number, translations in enumerate(found, start=first):
        for one in translations:
            where = f"{number}\t" if options.n_best else ""
            yield f"{where}{one.score:.4f}\t{flat(one.text)}"
        if not translations and not options.n_best:
            yield "-inf\t"


def flat(text):
    """A translation in one line, whatever pieces the model has made it of."""
    return text.replace("\n", " ")
