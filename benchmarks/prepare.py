"""Write a case: a model, its tokenizers, sentences, exports, and a batch to check by.

    python prepare.py REQUEST

REQUEST is a JSON object: `kind` is the name of a function of this file that makes the
case, `folder` the one to write it to, `searches` and `formats` are those to export,
and the rest is what that function takes.
"""

import json
import logging
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
from case import END, PAD, START, Search, pad
from peers.translator import with_policy, with_search

import keras_attention as ka

CHECKED_SENTENCES = 8

logger = logging.getLogger(__name__)


def main():
    request = json.loads(sys.argv[1])
    folder = pathlib.Path(request.pop("folder"))
    searches = [Search(**search) for search in request.pop("searches")]
    formats = request.pop("formats")
    make = globals()[request.pop("kind")]
    translator, sentences = make(**request)
    write(folder, with_policy(translator, "float32"), sentences)
    for number_format in formats:
        export(folder, translator, number_format, searches)


def random_model(sizes, vocab_size, source_tokens, batch_sizes, seed=0):
    """A model that has learned nothing, and sentences of exactly so many tokens.

    The vocabulary is one of whole words, so that a sentence has one token for each,
    and END.
    """
    keras.utils.set_random_seed(seed)
    words = [f"w{number}" for number in range(vocab_size - len((PAD, 1, START, END)))]
    tokenizer = ka.SubwordTokenizer.train(words, vocab_size, model_type="word")
    model = ka.Transformer(
        vocab_size, vocab_size, share_embeddings=True, dtype="float32", **sizes
    )
    never_end(model)
    random = np.random.default_rng(seed)

    def sentence():
        return " ".join(random.choice(words, source_tokens - 1))

    batches = {size: [[sentence() for _ in range(size)]] for size in batch_sizes}
    pairs = [(sentence(), sentence()) for _ in range(CHECKED_SENTENCES)]
    return ka.Translator(model, tokenizer, tokenizer), {
        "batches": {size: batch * max(1, 4 // size) for size, batch in batches.items()},
        "check": pairs,
    }


def never_end(model):
    """Let END score 0, where the best of thousands of random tokens scores far more.

    So all peers search to the very limit of the length.
    """
    [embeddings] = (w for w in model.weights if w.path == "embedding/embeddings")
    values = keras.ops.convert_to_numpy(embeddings).copy()
    values[END] = 0.0
    embeddings.assign(values)


def trained_model(translator, source, target, batch_sizes, timed_sentences, tested):
    """A saved translator, and real sentences with their translations."""
    sources, references = ka.read_sentence_pairs(source, target)
    translator = ka.Translator.load(translator)
    return translator, {
        "batches": {
            size: chunks(spread(sources, timed_sentences[str(size)]), size)
            for size in batch_sizes
        },
        "check": list(zip(sources, references))[:CHECKED_SENTENCES],
        "test": by_length(sources[:tested], references[:tested], translator),
    }


def spread(items, count):
    """So many items, evenly from first to last."""
    return [items[index * len(items) // count] for index in range(count)]


def chunks(items, size):
    return [items[first : first + size] for first in range(0, len(items), size)]


def by_length(sources, references, translator):
    """The test set with the longest sentences first, so that batches pad little."""
    lengths = translator.source_tokenizer.tokenize(sources).row_lengths().numpy()
    order = np.argsort(-lengths, kind="stable")
    return {
        "sources": [sources[index] for index in order],
        "references": [references[index] for index in order],
    }


def write(folder, translator, sentences):
    """Write all that peers read, but for the exports."""
    folder.mkdir(parents=True, exist_ok=True)
    translator.save(folder / "translator")
    weights = {weight.path: weight.numpy() for weight in translator.model.weights}
    np.savez(folder / "weights.npz", **weights)
    np.savez(folder / "check.npz", **checked_batch(translator, sentences.pop("check")))
    (folder / "config.json").write_text(json.dumps(translator.model.config))
    (folder / "sentences.json").write_text(json.dumps(sentences))


def checked_batch(translator, pairs):
    """A batch with given targets, and the logits of our model: see `Case.check`."""
    sources, targets = (list(texts) for texts in zip(*pairs))
    source_ids = translator.source_tokenizer.tokenize(sources).to_list()
    target_ids = translator.target_tokenizer.tokenize(targets).to_list()
    batch = {
        "source_ids": pad([ids + [END] for ids in source_ids]),
        "target_ids": pad([[START] + ids for ids in target_ids]),
        "labels": pad([ids + [END] for ids in target_ids]),
    }
    logits = translator.model(
        {name: batch[name].astype("int32") for name in ("source_ids", "target_ids")}
    )
    return {**batch, "logits": keras.ops.convert_to_numpy(logits)}


def export(folder, translator, number_format, searches):
    """Write the SavedModels of one numeric format, or why there is none."""
    target = folder / "exports" / number_format
    try:
        for search in searches:
            found = with_search(with_policy(translator, "float32"), search)
            found.export(target / search.name, dtype=number_format)
    except Exception as error:
        logger.exception("no export in %s", number_format)
        target.mkdir(parents=True, exist_ok=True)
        (target / "skipped.txt").write_text(str(error))


if __name__ == "__main__":
    main()
