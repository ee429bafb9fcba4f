"""Search for a Transformer that pronounces English better than the example's default.

The task is that of pronounce.py: letters to phonemes, by the CMU Pronouncing
Dictionary. A stated number of trials, of a stated number of epochs each, is spent on
models no larger than the default. Then the default and the best setting are trained
anew, equally long, and asked for words that neither the training nor the search has
seen.

    python examples/tune.py --trials 30 --epochs 2
    python examples/tune.py --algorithm hyperband --trials 60 --epochs 9

Killed and started again by the same command, the search goes on. Several processes
share it when each is started so, one with the id chief and the others with any other:

    export KERASTUNER_ORACLE_IP=127.0.0.1 KERASTUNER_ORACLE_PORT=8000
    KERASTUNER_TUNER_ID=chief   python examples/tune.py &
    KERASTUNER_TUNER_ID=worker0 python examples/tune.py &
    KERASTUNER_TUNER_ID=worker1 python examples/tune.py &
"""

import argparse
import json
import math
import pathlib

import keras
from pronounce import error_rates, parallel_lines, phase, read_dictionary, split_words

import keras_attention as ka
from keras_attention.tuning import TransformerHyperModel, tune

# The sizes and rates of pronounce.py, with Adam and the norm last, as trials have it.
DEFAULT = {
    "num_layers": 3,
    "num_decoder_layers": 1,
    "d_model": 128,
    "num_heads": 4,
    "d_ff": 256,
    "dropout_rate": 0.0,
    "norm_first": False,
    "label_smoothing": 0.1,
    "peak_rate": 5e-3,
    "warmup_steps": 300,
    "batch_tokens": 2048,
}

RANGES = {
    "num_layers": (1, 4),
    "num_decoder_layers": (1, 3),
    "d_model": [64, 96, 128, 192],
    "num_heads": [2, 4, 8],
    "d_ff": [128, 256, 512, 768],
    "dropout_rate": (0.0, 0.2),
    "norm_first": [False, True],
    "label_smoothing": (0.0, 0.2),
    "peak_rate": (1e-3, 1e-2),
    "warmup_steps": [150, 300, 600, 1200],
    "batch_tokens": [1024, 2048, 4096],
}


def main():
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    road = ka.set_fast_road()

    with phase("Reading the dictionary"):
        dictionary = read_dictionary(stress=False)
        *learned, held_out = split_words(dictionary, options.words, options.seed)
        held_out = held_out[: options.words]
        train, valid = (parallel_lines(dictionary, words) for words in learned)
        tokenizers = (
            ka.SubwordTokenizer.train(train[0], model_type="char"),
            ka.SubwordTokenizer.train(train[1], model_type="word"),
        )
        train_ids, valid_ids = (
            token_ids(tokenizers, lines) for lines in (train, valid)
        )
        print(f"{len(train[0]):,} pronunciations to learn from")

    hyper_model = TransformerHyperModel(
        *(tokenizer.vocab_size for tokenizer in tokenizers),
        max_parameters=options.max_parameters,
        max_length=40,
        jit_compile=road.jit_compile,
        **RANGES,
    )
    with phase(f"Searching: {options.trials} trials of {options.epochs} epochs"):
        result = tune(
            hyper_model,
            train_ids,
            valid_ids,
            options.out / "search",
            max_trials=options.trials,
            epochs=options.epochs,
            algorithm=options.algorithm,
            seed=options.seed,
            verbose=2,
        )
        if result is None:  # A worker: the chief has the result.
            return
        print(result)
        result.plot(options.out / "search.png")
        settings = json.dumps(result.best_settings, indent=1)
        (options.out / "best.json").write_text(settings)

    compared = {"default": DEFAULT, "best": result.best_settings}
    figures = {}
    for name, settings in compared.items():
        with phase(f"Training the {name} setting for {options.final_epochs} epochs"):
            keras.utils.set_random_seed(options.seed)
            model = hyper_model.build_settings(settings)
            fit = hyper_model.fit_settings(
                settings,
                model,
                train_ids,
                valid_ids,
                epochs=options.final_epochs,
                verbose=2,
            )
            figures[name] = {
                "parameters": model.count_params(),
                "validation loss": fit.history["val_loss"][-1],
                "errors": held_out_errors(model, tokenizers, dictionary, held_out),
            }
    report(figures, compared, len(held_out))


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--trials", type=int, default=30, help="most trials (default: 30)")
    add("--epochs", type=int, default=2, help="of each trial (default: 2)")
    add("--final-epochs", type=int, default=5, help="of default and best (default: 5)")
    add("--algorithm", choices=("random", "bayesian", "hyperband"), default="bayesian")
    add(
        "--max-parameters",
        type=int,
        default=620_000,
        help="of a model (default: 620,000, no more than the default has)",
    )
    add("--words", type=int, help="learn from and ask this many words (default: all)")
    add("--seed", type=int, default=1, help="at least 1")
    add("--out", type=pathlib.Path, default="saved_models/tune")
    return parser.parse_args()


def token_ids(tokenizers, lines):
    """Lines of letters and of phonemes -> their ids."""
    return tuple(one.tokenize(side) for one, side in zip(tokenizers, lines))


def held_out_errors(model, tokenizers, dictionary, words):
    """Share of words pronounced wrong, and of phonemes to be mended."""
    translator = ka.Translator(model, *tokenizers, beam_size=4, max_length=(1.0, 10))
    return error_rates(dictionary, words, translator(words, batch_size=256))


def report(figures, settings, words):
    """Print what was held out, side by side, and which one is better."""
    print(f"\n== Held out: {words:,} words\n{'':20}{'default':>12}{'best':>12}")
    for name in DEFAULT:
        write_row(name, *(one[name] for one in settings.values()))
    for name in ("parameters", "validation loss"):
        write_row(name, *(one[name] for one in figures.values()))
    for place, name in enumerate(("word error rate", "phoneme error rate")):
        write_row(name, *(f"{one['errors'][place]:.2%}" for one in figures.values()))

    default, best = (one["errors"][0] for one in figures.values())
    # Two shares of the same number of words differ by chance by about this much.
    chance = math.sqrt((default * (1 - default) + best * (1 - best)) / words)
    if default - best > 2 * chance:
        print("The best setting beats the default.")
    elif default > best:
        print("The best setting beats the default by no more than chance may.")
    else:
        print("The best setting does not beat the default.")


def write_row(name, *values):
    cells = (f"{one:.4g}" if isinstance(one, float) else str(one) for one in values)
    print(f"{name:20}" + "".join(cell.rjust(12) for cell in cells))


if __name__ == "__main__":
    main()
