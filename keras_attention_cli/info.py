"""Show what a saved model is made of.

Its layers and sizes, vocabulary, special tokens and settings, as a table or as JSON.

  keras-attention info en-de
  keras-attention info en-de --json
"""

import json
import pathlib

from keras_attention_cli.start import start_keras

INTERRUPTED = "Nothing was changed."


def add_options(parser):
    add = parser.add_argument
    add(
        "model",
        type=pathlib.Path,
        metavar="MODEL",
        help="folder that train wrote, or in Marian's format",
    )
    add("--json", action="store_true", help="all of it, for programs to read")


def run(options, answers):
    start_keras(options.debug)
    from keras_attention.runs.description import describe
    from keras_attention.runs.model_folder import load_translator

    description = describe(load_translator(options.model))
    if options.json:
        print(json.dumps(description, indent=2, ensure_ascii=False), file=answers)
        return
    print(f"{options.model}: {description['parameters']:,} parameters", file=answers)
    for title in ("model", "special_tokens", "search"):
        print_table(title, description[title].items(), answers)
    rows = [
        (one["name"], one["kind"], one["parameters"]) for one in description["layers"]
    ]
    print_table("layers", rows, answers)
    for side, vocabulary in description["vocabulary"].items():
        rows = [
            ("size", vocabulary["size"]),
            ("pieces", " ".join(vocabulary["pieces"])),
        ]
        print_table(f"{side} vocabulary", rows, answers)


def print_table(title, rows, answers):
    """Print rows under a title, their columns below each other."""
    rows = [[shown(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    print(f"\n{title.replace('_', ' ')}", file=answers)
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        print("  " + "  ".join(cells).rstrip(), file=answers)


def shown(value):
    """A value as a reader wants to see it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
