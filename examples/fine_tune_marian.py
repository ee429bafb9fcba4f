"""Fine-tune an opus-mt model on your own sentences, and serve it.

    python examples/fine_tune_marian.py --model opus-mt-ko-en \\
        --source train.ko --target train.en --out ko-en
    python examples/fine_tune_marian.py --model opus-mt-ko-en --source pairs.tsv \\
        --out ko-en                                     two columns, tab between

`--model` is a folder in Marian's format, as Hugging Face's hub has them. Of your pairs
some are held out, and measured before and after. What is written, below `--out`:

    translator/     to go on with in Keras: ka.Translator.load
    served/1/       a SavedModel, for TensorFlow Serving
    marian/         for transformers and CTranslate2
"""

import argparse
import pathlib

import keras
import sacrebleu

import keras_attention as ka
from keras_attention.interop.marian import load_marian, save_marian


def main(arguments=None):
    options = parse_options(arguments)
    keras.utils.set_random_seed(options.seed)
    translator = load_marian(options.model)
    sources, targets = ka.read_sentence_pairs(options.source, options.target)
    held_out = slice(-options.held_out, None)
    valid = sources[held_out], targets[held_out]
    train = sources[: -options.held_out], targets[: -options.held_out]
    print(f"{len(train[0]):,} pairs to learn from, {len(valid[0]):,} to test on")
    print(f"BLEU before: {bleu(translator, *valid):.2f}")
    fine_tune(translator, train, valid, options)
    print(f"BLEU after:  {bleu(translator, *valid):.2f}")
    translator.save(options.out / "translator")
    translator.export(options.out / "served" / "1", dtype=options.dtype)
    save_marian(translator, options.out / "marian")


def fine_tune(translator, train, valid, options):
    """Train the model inside the translator; its best epoch stays."""
    batches, valid_batches = (
        ka.translation_dataset(
            *pairs,
            translator.source_tokenizer,
            translator.target_tokenizer,
            batch_tokens=options.batch_tokens,
            max_length=options.max_length,
            shuffle=pairs is train,
            seed=options.seed,
        )
        for pairs in (train, valid)
    )
    translator.model.compile(
        optimizer=keras.optimizers.Adam(options.learning_rate, clipnorm=1.0),
        loss=ka.MaskedCrossentropy(label_smoothing=0.1),
        metrics=[ka.MaskedAccuracy()],
        jit_compile=False,
    )
    best = keras.callbacks.EarlyStopping(
        patience=options.patience, restore_best_weights=True
    )
    translator.model.fit(
        batches,
        validation_data=valid_batches,
        epochs=options.epochs,
        callbacks=[best],
        shuffle=False,  # the batches come shuffled
        verbose=2,
    )


def bleu(translator, sources, targets):
    return sacrebleu.corpus_bleu(translator(sources), [targets]).score


def parse_options(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    path = pathlib.Path
    parser.add_argument("--model", type=path, required=True, help="Marian's folder")
    parser.add_argument("--source", type=path, required=True)
    parser.add_argument("--target", type=path)
    parser.add_argument("--out", type=path, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--patience", type=int, default=1, help="epochs without gain")
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--max-length", type=int, default=128, help="tokens")
    parser.add_argument("--held-out", type=int, default=200, help="pairs to test on")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "int8"])
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
