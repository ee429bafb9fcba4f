"""Train the tiny Transformer on Multi30k, English to German, as the literature does.

    python examples/multi30k.py                       the tokenised, lower-cased text
    python examples/multi30k.py --text raw            the text as people write it
    python examples/multi30k.py --seed 1              another run
    python examples/multi30k.py --optimizer muon --norm-first --updates 4000 \\
        --warmup-steps 300                            nearly as good in half the updates

Models of several runs vote as one: `ka.Translator(ka.Ensemble(models), ...)`. On a GPU,
where there is JAX and no TensorFlow: multi30k_jax.py.

Two figures come of it, and must not be compared with each other: of the tokenised,
lower-cased text the BLEU of most papers on Multi30k (sacrebleu's `tok:none`); of the
raw text the detokenised, cased BLEU of the shared tasks (`tok:13a`).

Killed and started again by the same command, it goes on from the last state saved. The
folder `--out` then holds the state, the last checkpoints, the translator, its export,
and the curves of the training as a picture.
"""

import argparse
import dataclasses
import json
import math
import pathlib
import time

import keras

import keras_attention as ka

# Where the files are, and the SHA-256 of each. Multi30k (Elliott et al., 2016) is for
# research and education.
URL = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1"
NAMES = {"tok": "{}.lc.norm.tok.{}", "raw": "{}.{}.gz"}
SHA256 = {
    "tok": """
08925f8e0572bcd5a006702fc5fe20e2d77c6917d4eebd576fc20de6693c2119 train.en
cb5a23529b65ec2061f1dc446192a9c37382b63cc75f81a0be59d34894b3a505 train.de
46573ce391ae227f1c72f873392436a20ef18e0a6d518098cfbd70b77c8572ec val.en
97232bd273eceb7207f689527386a97e4be2616b18ada47576bdaf96c8ae1f00 val.de
5b7f32627cf99eced828311b955dae9800bb52bc8b91cf8b6526829e605b29d2 test_2016_flickr.en
c6a33d39d48f9f510de147651316cd9d918e09ad0219df734a2f16b6baccacc4 test_2016_flickr.de
""",
    "raw": """
d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f train.en
726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6 train.de
14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28 val.en
f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a val.de
611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9 test_2016_flickr.en
9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8 test_2016_flickr.de
""",
}

# What is tokenised already is cut at spaces alone.
TOKENIZE = {"tok": "none", "raw": "13a"}


def main():
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    road = ka.set_fast_road()
    splits = {
        split: read_split(options, split)
        for split in ("train", "val", "test_2016_flickr")
    }
    tokenizer = ka.SubwordTokenizer.train(
        [line for side in splits["train"] for line in side],
        vocab_size=options.vocab_size,
        model_type="bpe",
        normalization="identity",
    )
    batches, valid_batches = (
        ka.translation_dataset(
            *splits[split],
            tokenizer,
            tokenizer,
            batch_tokens=options.batch_tokens,
            seed=options.seed,
            shuffle=split == "train",
        )
        for split in ("train", "val")
    )
    accumulated = ka.accumulation_steps(options.update_tokens, options.batch_tokens)
    model = build(options, tokenizer.vocab_size)
    model.compile(
        optimizer=OPTIMIZERS[options.optimizer](options, accumulated),
        loss=ka.MaskedCrossentropy(label_smoothing=options.label_smoothing),
        jit_compile=road.jit_compile,
    )
    epochs = math.ceil(options.updates * (accumulated or 1) / len(batches))
    print(f"{epochs} epochs of {len(batches)} batches, {accumulated or 1} an update")

    started = time.perf_counter()
    history, checkpoints = train(
        options, model, tokenizer, batches, valid_batches, epochs, splits["val"]
    )
    print(f"Trained for {(time.perf_counter() - started) / 60:.0f} minutes.")
    curves = ka.plot_learning_curves(history, every=options.bleu_every)
    curves.savefig(options.out / "curves.png", dpi=150)
    print(f"{options.out / 'curves.png'}: the curves of the training")

    mean = ka.average_checkpoints(checkpoints.paths, options.out / "mean.weights.h5")
    model.load_weights(mean)
    translator = ka.Translator(
        model,
        tokenizer,
        tokenizer,
        beam_size=5,
        length_penalty=options.length_penalty,
        length_offset=0.0,  # divided by the length alone, as in the recipe
    )
    for split in ("val", "test_2016_flickr"):
        report(translator, split, *splits[split], options)
    translator.save(options.out / "translator")
    translator.export(options.out / "export" / "1")


def parse_options():
    parser = recipe_parser(__doc__)
    parser.add_argument(
        "--bleu-every", type=int, default=10, help="epochs between two translations"
    )
    return read_options(parser)


def recipe_parser(description):
    """The options that the recipe has on any backend."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", choices=list(NAMES), default="tok", help="which text (default: tok)")
    add("--data", type=pathlib.Path, help="folder with its files; default: fetched")
    add("--out", type=pathlib.Path, help="default: saved_models/multi30k-TEXT-SEED")
    add("--seed", type=int, default=0)
    add("--updates", type=int, default=8000, help="of the weights (default: 8000)")
    add("--update-tokens", type=int, default=8192, help="tokens in one of them")
    add("--batch-tokens", type=int, default=8192, help="tokens in memory at a time")
    add("--vocab-size", type=int, default=10_000, help="pieces both languages share")
    add("--dropout", type=float, default=0.3, help="share of units dropped")
    add("--norm-first", action="store_true", help="normalise before each sublayer")
    add("--optimizer", choices=list(OPTIMIZERS), default="adam", help="default: adam")
    add("--label-smoothing", type=float, default=0.1)
    add("--peak-rate", type=float, default=5e-3, help="highest learning rate")
    add("--warmup-steps", type=int, default=2000, help="updates to reach it")
    add(
        "--averaged",
        type=int,
        default=10,
        help="epochs of which to take the mean",
    )
    add("--length-penalty", type=float, default=1.0, help="of the beam search")
    add("--save-every", type=int, default=200, help="most batches that a kill may cost")
    return parser


def read_options(parser):
    """The options given, with a folder to write to."""
    options = parser.parse_args()
    options.out = options.out or pathlib.Path(
        f"saved_models/multi30k-{options.text}-{options.seed}"
    )
    return options


def read_split(options, split):
    """(English lines, German lines)."""
    find = find_file if options.data else fetch_file
    return ka.read_sentence_pairs(
        *(find(options, split, side) for side in ("en", "de"))
    )


def find_file(options, split, language):
    """A file in the folder given, gzipped or not."""
    name = NAMES[options.text].format(split, language).removesuffix(".gz")
    plain = options.data / name
    return plain if plain.exists() else plain.with_name(f"{name}.gz")


def fetch_file(options, split, language):
    """A public file, fetched once, its checksum compared."""
    name = NAMES[options.text].format(split, language)
    sums = dict(line.split()[::-1] for line in SHA256[options.text].strip().split("\n"))
    return keras.utils.get_file(
        name,
        f"{URL}/{options.text}/{name}",
        cache_subdir="multi30k",
        file_hash=sums[f"{split}.{language}"],
    )


def build(options, vocab_size):
    """The tiny preset, with the dropout of Wu et al., 2021."""
    return ka.Transformer.from_preset(
        "tiny",
        vocab_size=vocab_size,
        dropout_rate=options.dropout,
        norm_first=options.norm_first,
    )


def adam(options, accumulated):
    """As in the recipe: the rate falls with the root of the number of updates."""
    # Keras counts batches, where the recipe counts updates.
    warmup_steps = options.warmup_steps * (accumulated or 1)
    return keras.optimizers.Adam(
        ka.WarmupSchedule.from_peak(options.peak_rate, warmup_steps),
        beta_1=0.9,
        beta_2=0.98,
        epsilon=1e-9,
        gradient_accumulation_steps=accumulated,
    )


def muon(options, accumulated):
    """Orthogonal updates of the matrices; the rate falls as a cosine, to 0.

    Muon (Jordan, 2024; Liu et al., 2025) leaves the embeddings to Adam.
    """
    batches = options.updates * (accumulated or 1)
    warmup = min(options.warmup_steps * (accumulated or 1), batches // 10)
    return keras.optimizers.Muon(
        keras.optimizers.schedules.CosineDecay(
            0.0,
            batches - warmup,
            warmup_target=options.peak_rate,
            warmup_steps=warmup,
        ),
        adam_beta_2=0.98,
        weight_decay=None,
        adam_weight_decay=None,
        gradient_accumulation_steps=accumulated,
    )


OPTIMIZERS = {"adam": adam, "muon": muon}


def train(options, model, tokenizer, batches, valid_batches, epochs, valid_lines):
    """Fit, watched and resumable. Returns the history, and the checkpoints."""
    checkpoints = ka.Checkpoints(options.out / "checkpoints", keep=options.averaged)
    bleu = ka.BleuCallback(
        ka.Translator(model, tokenizer, tokenizer, beam_size=1),
        *valid_lines,
        every=options.bleu_every,
        tokenize=TOKENIZE[options.text],
    )
    resume = ka.ResumableTraining(
        options.out / "state",
        model,
        batches,
        every=options.save_every,
        callbacks=[ka.StopOnBadLoss(batches), bleu, checkpoints],
    )
    history = model.fit(
        **resume.fit_arguments(),
        epochs=epochs,
        validation_data=valid_batches,
        verbose=2,
    )
    return history, checkpoints


def report(translator, split, sources, references, options):
    """Translate a split, and report on it."""
    report_on(translator(sources, verbose=1), split, references, options)


def report_on(translations, split, references, options):
    """Print what sacrebleu says of the translations of a split, and keep both."""
    evaluation = ka.evaluate(
        translations,
        references,
        lowercase=options.text == "tok",
        tokenize=TOKENIZE[options.text],
    )
    print(f"\n{split}, beam 5, mean of {options.averaged} checkpoints\n{evaluation}")
    record = {"seed": options.seed, **dataclasses.asdict(evaluation)}
    (options.out / f"{split}.json").write_text(json.dumps(record, indent=1))
    (options.out / f"{split}.de").write_text("\n".join(translations) + "\n")


if __name__ == "__main__":
    main()
