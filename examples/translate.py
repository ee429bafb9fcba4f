"""Train a translator on your own sentences, measure it, export it, and use it.

    python examples/translate.py --source train.en --target train.de \\
        --valid-source val.en --valid-target val.de
    python examples/translate.py --source pairs.tsv          two columns, tab between
    python examples/translate.py --source pairs.tsv --swap   second to first column

Files hold one sentence a line, plain or gzipped (.gz). Without files to validate on,
some sentences are held out. When it is trained, the script translates what comes in on
standard input, a line at a time:

    echo "A dog runs." | python examples/translate.py --source ... > answers.txt

Only these answers go to standard output; all else goes to standard error.
"""

import argparse
import contextlib
import pathlib
import sys

import keras
import sacrebleu

import keras_attention as ka
from keras_attention.runs.held_out import hold_out


def main():
    options = parse_options()
    with contextlib.redirect_stdout(sys.stderr):
        translator = train(options)
    for line in sys.stdin:
        print(*translator([line.rstrip("\n")]), flush=True)


def train(options):
    """Read, train, measure, save and export. Returns the Translator."""
    keras.utils.set_random_seed(options.seed)
    keras.config.set_dtype_policy(options.dtype)

    train_pairs, valid_pairs = read_pairs(options)
    train_size, valid_size = len(train_pairs[0]), len(valid_pairs[0])
    print(f"{train_size:,} pairs to learn from, {valid_size:,} to test on")
    tokenizer = ka.SubwordTokenizer.train(
        [line for side in train_pairs for line in side], options.vocab_size
    )
    batches, valid_batches = (
        ka.translation_dataset(
            *pairs,
            tokenizer,
            tokenizer,
            batch_tokens=options.batch_tokens,
            max_length=options.max_length,
            shuffle=shuffle,
            seed=options.seed,
        )
        for pairs, shuffle in ((train_pairs, True), (valid_pairs, False))
    )

    model = build(options, tokenizer)
    model.fit(
        batches, validation_data=valid_batches, epochs=options.epochs, shuffle=False
    )

    translator = ka.Translator(model, tokenizer, tokenizer, beam_size=options.beam_size)
    report(translator, valid_pairs)
    translator.save(options.out / "translator")
    translator.export(options.out / "1")
    print(f"Saved to {options.out / 'translator'}, exported to {options.out / '1'}.")
    return translator


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--source", type=pathlib.Path, required=True, help="sentences, or pairs (TSV)")
    add("--target", type=pathlib.Path, help="their translations, line by line")
    add(
        "--valid-source", type=pathlib.Path, help="sentences to test on, or pairs (TSV)"
    )
    add("--valid-target", type=pathlib.Path, help="their translations")
    add("--swap", action="store_true", help="translate from target to source")
    add("--vocab-size", type=int, default=8000, help="pieces both languages share")
    add("--preset", default="tiny", help="size of the model: tiny, base, big")
    add("--dropout", type=float, default=0.3, help="share of units dropped")
    add("--epochs", type=int, default=20, help="passes over the sentences")
    add("--peak-rate", type=float, default=5e-3, help="highest learning rate")
    add("--warmup-steps", type=int, default=2000, help="steps to reach it")
    add("--batch-tokens", type=int, default=4096, help="tokens of each side in a batch")
    add("--max-length", type=int, default=100, help="longest sentence in tokens")
    add("--beam-size", type=int, default=4, help="hypotheses kept for each sentence")
    add("--dtype", default="mixed_bfloat16", help="Keras dtype policy")
    add("--seed", type=int, default=0)
    add("--out", type=pathlib.Path, default=pathlib.Path("saved_models/translate"))
    return parser.parse_args()


def read_pairs(options):
    """(source, target) lines to learn from, and to test on."""
    pairs = ka.read_sentence_pairs(options.source, options.target)
    if options.valid_source:
        valid = ka.read_sentence_pairs(options.valid_source, options.valid_target)
    else:
        pairs, valid = hold_out(pairs, options.seed)
    return (pairs[::-1], valid[::-1]) if options.swap else (pairs, valid)


def build(options, tokenizer):
    """The Transformer, with the paper's optimizer at another peak."""
    model = ka.Transformer.from_preset(
        options.preset, vocab_size=tokenizer.vocab_size, dropout_rate=options.dropout
    )
    model.compile(
        optimizer=keras.optimizers.Adam(
            ka.WarmupSchedule.from_peak(options.peak_rate, options.warmup_steps),
            beta_1=0.9,
            beta_2=0.98,
            epsilon=1e-9,
        ),
        loss=ka.MaskedCrossentropy(label_smoothing=0.1),
        metrics=[ka.MaskedAccuracy(), ka.Perplexity()],
        jit_compile=False,
    )
    return model


def report(translator, pairs):
    """Print BLEU and chrF with their signatures, and a few translations."""
    sources, references = pairs
    answers = translator(sources, verbose=1)
    for metric in (sacrebleu.BLEU(), sacrebleu.CHRF()):
        print(metric.corpus_score(answers, [references]), metric.get_signature())
    for source, answer, reference in list(zip(sources, answers, references))[:5]:
        print(f"  {source}\n    model      {answer}\n    reference  {reference}")


if __name__ == "__main__":
    main()
