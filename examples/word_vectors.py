"""Learn word vectors of a text in four ways, look at them, and use them.

    python examples/word_vectors.py                         300 news articles in gensim
    python examples/word_vectors.py --text train.en.gz      captions of Multi30k

CBOW, skip-gram and fastText are trained by gensim, GloVe by Keras. Each shows the
neighbours of some words and an analogy. Then a vocabulary gets its embedding layer:
what of it each of them covers, and what the layer is worth to a small classifier that
guesses which of two words is missing from a sentence.

The last tenth of the sentences is held out: no vectors are learned from it, and on it
the classifiers are measured. The folder `--out` then holds the vectors of skip-gram,
their picture and the last classifier.
"""

import argparse
import collections
import gzip
import pathlib
import re
import time

import keras
import numpy as np

import keras_attention as ka

LENGTH = 20  # words around the missing one that a classifier sees

# What is asked of each text.
CAPTIONS = {
    "words": ["man", "dog", "red", "running", "water"],
    "analogy": ["man", "men", "woman"],
    "missing": ["water", "snow"],
}
NEWS = {
    "words": ["police", "government", "company", "fire", "cricket"],
    "analogy": ["australia", "australian", "afghanistan"],
    "missing": ["australia", "afghanistan"],
}


def main():
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    sentences = read_sentences(options.text)
    train, held_out = split(sentences)
    words = sum(map(len, sentences))
    print(f"{len(sentences)} sentences, {words} words: {options.text.name}")

    learned = learn(train, options)
    for name, vectors in learned.items():
        print(f"\n{name}")
        look(vectors, options)

    counts = collections.Counter(word for line in train for word in line)
    vocabulary = [word for word, count in counts.most_common() if count >= 2]
    for name in ("skip-gram", "fastText"):
        _, coverage = ka.pretrained_embedding(learned[name], vocabulary, counts)
        print(f"\n{name}, vocabulary of {len(vocabulary)} words\n{coverage}")

    keep(learned["skip-gram"], options)
    compare(learned, vocabulary, counts, train, held_out, options)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", type=pathlib.Path, help="lines of sentences, gzipped or not")
    add("--out", type=pathlib.Path, default="saved_models/word_vectors")
    add("--d-model", type=int, default=50, help="numbers in a vector (default: 50)")
    add("--epochs", type=int, default=10, help="passes over the text (default: 10)")
    add("--words", nargs="+", help="whose neighbours to show")
    add("--analogy", nargs=3, help="a is to b as c is to what?")
    add("--missing", nargs=2, help="words to guess")
    add(
        "--examples", type=int, default=200, help="sentences the classifier learns from"
    )
    add("--seed", type=int, default=0)
    options = parser.parse_args()
    for name, asked in (CAPTIONS if options.text else NEWS).items():
        if getattr(options, name) is None:
            setattr(options, name, asked)
    options.text = options.text or news_articles()
    return options


def news_articles():
    """A corpus that gensim has for its tests (Lee et al., 2005): one article a line."""
    from gensim.test.utils import datapath

    return pathlib.Path(datapath("lee_background.cor"))


def read_sentences(path):
    """Lists of lower-cased words, a list for each sentence."""
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as file:
        sentences = [part for line in file for part in re.split(r"[.!?]\s", line)]
    split_up = (re.findall(r"\w+", sentence.lower()) for sentence in sentences)
    return [words for words in split_up if words]


def split(sentences):
    """All but the last tenth, and that."""
    first = len(sentences) * 9 // 10
    return sentences[:first], sentences[first:]


def learn(sentences, options):
    """The same text in four ways: {name: vectors}."""
    shared = {"d_model": options.d_model, "seed": options.seed}
    read = {"epochs": options.epochs, **shared}
    trainers = {
        "CBOW": lambda: ka.train_word2vec(sentences, **read),
        "skip-gram": lambda: ka.train_word2vec(sentences, skip_gram=True, **read),
        "fastText": lambda: ka.train_fasttext(
            sentences, skip_gram=True, bucket=50_000, **read
        ),
        # x_max lower than the paper's, as such a text is a thousandth of its size.
        "GloVe": lambda: ka.train_glove(sentences, x_max=10.0, **shared),
    }
    learned = {}
    for name, train in trainers.items():
        started = time.perf_counter()
        learned[name] = train()
        seconds = time.perf_counter() - started
        print(f"{name:10} {len(learned[name])} words in {seconds:.1f} s")
    return learned


def look(vectors, options):
    """Print neighbours and the analogy, of the words that there are."""
    for word in options.words:
        if word in vectors.key_to_index:
            near = vectors.most_similar(word, topn=5)
            print(f"  {word:10} {', '.join(f'{w} {s:.2f}' for w, s in near)}")
    a, b, c = options.analogy
    if all(word in vectors.key_to_index for word in options.analogy):
        near = vectors.most_similar(positive=[b, c], negative=[a], topn=3)
        print(f"  {a} : {b} = {c} : {', '.join(f'{w} {s:.2f}' for w, s in near)}")


def keep(vectors, options):
    """Write the vectors as word2vec's text, and the picture of the first words."""
    path = options.out / "skip_gram.txt"
    vectors.save_word2vec_format(path)
    again = ka.load_word_vectors(path)
    print(f"\n{path}: {len(again)} words, loaded again")
    content = [word for word in vectors.index_to_key[:150] if len(word) > 3]
    picture = options.out / "skip_gram.png"
    ka.plot_word_vectors(vectors, content[:60]).savefig(picture, dpi=120)
    print(f"{picture}: {len(content[:60])} words")


def compare(learned, vocabulary, counts, train, held_out, options):
    """Train the classifier on each embedding, and print its share of right guesses."""
    # The layer knows only the words, so an id is a place in this list.
    vocabulary = [word for word in vocabulary if word not in options.missing]
    place = {word: id for id, word in enumerate(vocabulary, start=4)}
    ids, labels = gaps(train, place, options.missing)
    chosen = np.random.default_rng(options.seed).permutation(len(ids))
    ids, labels = ids[chosen[: options.examples]], labels[chosen[: options.examples]]
    tests, answers = gaps(held_out, place, options.missing)
    a, b = options.missing
    print(f"\n{a} or {b}? {len(ids)} sentences to learn from, {len(tests)} held out")
    often = max(answers.mean(), 1 - answers.mean())
    print(f"  {'always the more frequent':24} {often:.1%}")
    for name, vectors in {"drawn at random": None, **learned}.items():
        for trainable in (False, True):
            embedding = layer(vectors, vocabulary, trainable, options)
            model = classifier(embedding)
            model.fit(ids, labels, epochs=60, batch_size=32, verbose=0)
            right = model.evaluate(tests, answers, verbose=0)[1]
            row = f"{name}, {'trained on' if trainable else 'frozen'}"
            print(f"  {row:24} {right:.1%}", flush=True)
    model.save(options.out / "classifier.keras")


def layer(vectors, vocabulary, trainable, options):
    """The embedding layer of word vectors, or one that knows nothing yet."""
    if vectors is not None:
        return ka.pretrained_embedding(vectors, vocabulary, trainable=trainable)[0]
    return keras.layers.Embedding(
        len(vocabulary) + 4,
        options.d_model,
        keras.initializers.RandomNormal(stddev=0.3, seed=options.seed),
        mask_zero=True,
        trainable=trainable,
    )


def gaps(sentences, place, missing):
    """Sentences with one of two words: (B, LENGTH) ids without it, and which, (B,)."""
    rows, labels = [], []
    for sentence in sentences:
        found = [spot for spot, word in enumerate(sentence) if word in missing]
        if len({sentence[spot] for spot in found}) != 1:
            continue
        spot = found[0]
        around = sentence[max(0, spot - LENGTH // 2) : spot + LENGTH // 2]
        ids = [place.get(word, 1) for word in around if word not in missing][:LENGTH]
        rows.append(ids + [0] * (LENGTH - len(ids)))
        labels.append(missing.index(sentence[spot]))
    return np.array(rows, "int32"), np.array(labels, "int32")


def classifier(embedding):
    """The mean of the vectors around the gap -> the probability of the second word."""
    model = keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            embedding,
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"]
    )
    return model


if __name__ == "__main__":
    main()
