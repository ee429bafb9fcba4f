"""Measure Phonetisaurus on the words of examples/pronounce.py, by the same error rates.

    pip install phonetisaurus
    python benchmarks/pronunciation.py

How many words a model gets wrong depends on the edition of the dictionary and on the
words held out. Phonetisaurus (Novak et al., 2016), an 8-gram model of letters with their
phonemes, is what others compare with on theirs. Here it learns from the same words as
the example, and from those that the example watches, and says those held out.
"""

import argparse
import importlib
import pathlib
import subprocess
import sys
import tempfile
import time

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
sys.path.append(str(EXAMPLES))
example = importlib.import_module("pronounce")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", type=int, help="learn from this many words only")
    parser.add_argument("--stress", action="store_true", help="keep the stress marks")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    options = parser.parse_args()
    dictionary = example.read_dictionary(options.stress)
    train, valid, test = example.split_words(dictionary, options.words, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        answers = learn_and_say(pathlib.Path(folder), dictionary, train + valid, test)
        seconds = time.perf_counter() - started
    word_errors, phoneme_errors = example.error_rates(dictionary, test, answers)
    print(f"{len(train + valid):,} words to learn from, {len(test):,} held out")
    print(f"word error rate     {word_errors:6.2%}")
    print(f"phoneme error rate  {phoneme_errors:6.2%}")
    print(f"{seconds:.0f} s")


def learn_and_say(folder, dictionary, words, held_out):
    """Train on some words, and pronounce others: a str of phonemes for each."""
    entries = [f"{word} {said}" for word in words for said in dictionary[word]]
    (folder / "words.lexicon").write_text("\n".join(entries) + "\n", encoding="utf-8")
    model = ["--model", "model.fst"]
    run(folder, "train", *model, "words.lexicon", asked="")
    printed = run(folder, "predict", *model, asked="\n".join(held_out) + "\n")
    answers = dict(line.split(" ", 1) for line in printed.splitlines())
    return [answers.get(word, "") for word in held_out]


def run(folder, *arguments, asked):
    """Let Phonetisaurus do something in a folder: what it printed."""
    command = [sys.executable, "-m", "phonetisaurus", *arguments]
    done = subprocess.run(
        command, cwd=folder, input=asked, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"Phonetisaurus failed:\n{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
