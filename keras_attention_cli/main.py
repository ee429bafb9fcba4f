"""Words of a command line -> a command that is run -> an exit code."""

import argparse
import contextlib
import difflib
import importlib.metadata
import io
import os
import re
import sys
import traceback
import warnings

from keras_attention_cli import (
    average,
    evaluate,
    export,
    info,
    plot,
    train,
    translate,
    tune,
)

COMMANDS = {
    "train": train,
    "translate": translate,
    "evaluate": evaluate,
    "average": average,
    "export": export,
    "tune": tune,
    "info": info,
    "plot": plot,
}

DESCRIPTION = """\
The Transformer, from parallel text to a served model.

  keras-attention train --source train.en --target train.de --out en-de
  keras-attention translate en-de < test.en > answers.de
  keras-attention evaluate en-de --source test.en --target test.de
  keras-attention export en-de served/en-de/1

keras-attention COMMAND --help tells what a command takes, with examples.
"""

EXIT_CODES = """\
Answers go to standard output, all else to standard error. Exit codes: 0 all is done;
1 something went wrong on the way; 2 what was given can not be used, as one line says;
130 stopped by Ctrl-C.
"""

FAILED, BAD_INPUT, INTERRUPTED, READER_GONE = 1, 2, 130, 141


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and where to read on."""

    def error(self, message):
        self.exit(
            BAD_INPUT, f"{self.prog}: error: {message} (see {self.prog} --help)\n"
        )


def main(arguments=None):
    """Run a command line, and return its exit code."""
    options = parse(arguments)
    command, answers = COMMANDS[options.command], sys.stdout
    if isinstance(answers, io.TextIOWrapper):
        answers.reconfigure(encoding="utf-8")  # As text is read.
    try:
        with contextlib.redirect_stdout(sys.stderr), short_warnings(options):
            command.run(options, answers)
            answers.flush()
    except KeyboardInterrupt:
        say(options, f"stopped. {command.INTERRUPTED.format(**vars(options))}")
        return INTERRUPTED
    except BrokenPipeError:
        # Python would complain of it again when it flushes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), answers.fileno())
        return READER_GONE
    except (OSError, ValueError, TypeError, ImportError) as error:
        return refuse(options, error, BAD_INPUT)
    except Exception as error:
        return refuse(options, error, FAILED)
    return 0


def parse(arguments):
    """Words -> options; files may also come behind options."""
    parser, commands = make_parsers()
    options, rest = parser.parse_known_args(arguments)
    are_files = not any(word.startswith("-") and word != "-" for word in rest)
    if are_files and hasattr(options, "files"):
        options.files, rest = [*options.files, *rest], []
    if rest:
        command = commands[options.command]
        known = re.findall(r"--[a-z-]+", command.format_help())
        meant = difflib.get_close_matches(rest[0], known, n=1)
        advice = f"; did you mean {meant[0]}?" if meant else ""
        command.error(f"unrecognized arguments: {' '.join(rest)}{advice}")
    return options


def make_parsers():
    """The parser of it all, and {name: parser} of the commands."""
    parser = Parser(
        prog="keras-attention",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = importlib.metadata.version("keras-attention-transformer")
    parser.add_argument("-V", "--version", action="version", version=version)
    subparsers = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    commands = {}
    for name, command in COMMANDS.items():
        summary = command.__doc__.split("\n")[0]
        sub = commands[name] = subparsers.add_parser(
            name,
            help=summary.rstrip("."),
            description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_options(sub)
        sub.add_argument(
            "--debug", action="store_true", help="show where in the code an error was"
        )
    return parser, commands


@contextlib.contextmanager
def short_warnings(options):
    """Print each warning in one line, without the code that it came from."""

    def show(message, *_):
        say(options, f"warning: {without_owner(message)}")

    with warnings.catch_warnings():
        if not options.debug:
            warnings.showwarning = show
        yield


def refuse(options, error, code):
    """Say in one line what was wrong. Returns the exit code."""
    if options.debug:
        traceback.print_exception(error)
    if code == BAD_INPUT:
        say(options, f"error: {without_owner(error)}")
    else:
        say(options, f"error: {type(error).__name__}: {one_line(error)}")
    return code


def say(options, message):
    """Print a line to standard error, and by whom."""
    print(f"keras-attention {options.command}: {message}", file=sys.stderr)


def without_owner(message):
    """A message in one line, without the function that noticed, of no use here."""
    return re.sub(r"^[\w.]+: (?=got )", "", one_line(message))


def one_line(message):
    return " ".join(str(message).split())
