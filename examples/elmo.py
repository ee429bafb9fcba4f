"""Words in their sentences: learn ELMo from a text, and see what its vectors know.

    python examples/elmo.py                          300 news articles in gensim
    python examples/elmo.py --text train.en.gz --translations train.de.gz
                                                     captions of Multi30k

A language model is trained in both directions; its perplexity is that of the last tenth
of the sentences. Then it meets words of two senses. Of captions, the German translation
tells the sense: "drink" is "Getränk" or "trinken". In other texts two words are made
one, such as "australia" and "afghanistan", which a reader then has to tell apart.

Shown are the cosines of a word's vectors within a sense and between the two; and how
well a linear classifier tells the senses, from ELMo's vectors at the word, and from
skip-gram's of the words around it. Both have read all these sentences, though without
their senses; the classifier is measured on sentences that it has not learned from, each
once in five. In the folder `--out` is then `elmo.keras`, and a SavedModel that takes
sentences and tells senses. Stopped and started again, the training goes on from where
it was.
"""

import argparse
import collections
import functools
import gzip
import pathlib
import re
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

import keras_attention as ka

# Of a word, its two marks included; the longest of the captions has 16 letters.
CHARACTERS = 20
DIRECTIONS = ("forward", "backward")

# English words, and what German words tell either sense: patterns of their letters.
TRANSLATED = {
    "back": ("rücken$", "hinten|hinter|zurück|rückseite"),
    "building": ("gebäude|haus$", "baut$|bauen$|errichte"),
    "dance": ("tanz$|tänze$", "tanzen$|tanzt$"),
    "drink": ("getränk|drink|cocktail", "trink"),
    "jump": ("sprung|sprünge", "spring"),
    "light": ("licht|ampel|lampe", "^hell"),
    "paint": ("farbe$", "malen$|malt$|streich"),
    "painting": ("bild|gemälde", "malt$|malen$|streich"),
    "riding": ("fahr|fähr", "reit"),
    "wall": ("wand$|wände$", "mauer$|mauern$"),
}
# Words that are made one where there is no translation.
MERGED = [("australia", "afghanistan"), ("government", "police"), ("day", "year")]


class Occurrence(NamedTuple):
    """A word of two senses, somewhere in the text."""

    words: list  # the sentence
    place: int  # of the word in it
    sense: int  # in the list of all senses


def main():
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer = ka.CharacterTokenizer(CHARACTERS)
    sentences = tokenizer.words(read_lines(options.text))
    if options.translations:
        translations = tokenizer.words(read_lines(options.translations))
        senses, occurrences = translated_senses(sentences, translations)
    else:
        sentences, senses, occurrences = merged_senses(sentences)
    train, held_out = split(sentences)
    print(f"{len(sentences)} sentences, {sum(map(len, sentences))} words")

    elmo = trained(train, held_out, options)
    encoder = elmo.encoder()
    encoder.trainable = False
    layers = vectors_at(encoder, occurrences)
    show_cosines(layers, senses, occurrences)
    around = vectors_around(train, occurrences, elmo, options)
    classifier = compare(layers, around, senses, occurrences, options)
    serve(encoder, classifier, tokenizer, senses, occurrences, options)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", type=pathlib.Path, help="a sentence a line, gzipped or not")
    add("--translations", type=pathlib.Path, help="of these lines, into German")
    add("--out", type=pathlib.Path, default="saved_models/elmo")
    add("--d-model", type=int, default=96, help="width of a direction (default: 96)")
    add("--epochs", type=int, default=4, help="passes over the text (default: 4)")
    add("--folds", type=int, default=5, help="parts to be measured on, by turns")
    add("--seed", type=int, default=0)
    options = parser.parse_args()
    options.text = options.text or news_articles()
    return options


def news_articles():
    """A corpus that gensim has for its tests (Lee et al., 2005): one article a line."""
    from gensim.test.utils import datapath

    return pathlib.Path(datapath("lee_background.cor"))


def read_lines(path):
    """The lines of a file, or the sentences of the articles that these are."""
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file]
    if path.suffix == ".cor":
        return [part for line in lines for part in re.split(r"(?<=[.!?])\s", line)]
    return lines


def split(sentences):
    """All but the last tenth, and that."""
    first = len(sentences) * 9 // 10
    return sentences[:first], sentences[first:]


def translated_senses(sentences, translations):
    """Find the words of two senses where the translation has exactly one of them."""
    senses = [(word, pattern) for word, pair in TRANSLATED.items() for pattern in pair]
    occurrences = []
    for words, translation in zip(sentences, translations):
        for sense, (word, pattern) in enumerate(senses):
            other = senses[sense ^ 1][1]
            if words.count(word) == 1 and said(pattern, translation):
                if not said(other, translation):
                    occurrences.append(Occurrence(words, words.index(word), sense))
    return senses, occurrences


def said(pattern, words):
    """Whether a word has these letters."""
    return any(re.search(pattern, word) for word in words)


def merged_senses(sentences):
    """Make one word of two, everywhere, and remember which it was."""
    senses = [("_".join(pair), word) for pair in MERGED for word in pair]
    places = {word: sense for sense, (_, word) in enumerate(senses)}
    merged, occurrences = [], []
    for sentence in sentences:
        words = [senses[places[w]][0] if w in places else w for w in sentence]
        merged.append(words)
        occurrences += [
            Occurrence(words, place, places[word])
            for place, word in enumerate(sentence)
            if word in places
        ]
    return merged, senses, occurrences


def trained(train, held_out, options):
    """Learn a language model of the text, and print its perplexity."""
    counts = collections.Counter(word for words in train for word in words)
    vocabulary = [word for word, count in counts.most_common() if count >= 5]
    shared = {"max_characters": CHARACTERS, "batch_tokens": 1024, "num_widths": 4}
    batches = ka.WordBatches(train, vocabulary, seed=options.seed, **shared)
    held_out = ka.WordBatches(held_out, vocabulary, shuffle=False, **shared)
    elmo = learn(batches, options)
    elmo.save(options.out / "elmo.keras")
    found = elmo.evaluate(held_out, return_dict=True, verbose=0)
    print(f"{elmo.count_params():,} parameters, {len(vocabulary)} words to guess")
    for direction in DIRECTIONS:
        print(f"  {direction:9} perplexity {found[f'{direction}_perplexity']:.1f}")
    return elmo


def learn(batches, options):
    """Train a language model in both directions."""
    elmo = ka.Elmo(
        batches.vocab_size,
        d_model=options.d_model,
        filters=[[1, 16], [2, 16], [3, 32], [4, 64], [5, 64]],
        num_highways=1,
        max_characters=CHARACTERS,
        dropout_rate=0.2,
    )
    steps = options.epochs * len(batches)
    elmo.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(0.003, steps), clipnorm=1.0
        ),
        loss={direction: ka.MaskedCrossentropy() for direction in DIRECTIONS},
        metrics={direction: ka.Perplexity() for direction in DIRECTIONS},
        jit_compile=False,
    )
    resume = ka.ResumableTraining(options.out / "state", elmo, batches, every=40)
    elmo.fit(**resume.fit_arguments(), epochs=options.epochs, verbose=2)
    return elmo


def vectors_at(encoder, occurrences, batch_size=64):
    """What each layer says of each occurrence: (n, L * 2 D)."""
    found = []
    for first in range(0, len(occurrences), batch_size):
        some = occurrences[first : first + batch_size]
        characters = ka.spell([one.words for one in some], CHARACTERS)
        vectors = keras.ops.convert_to_numpy(encoder(characters))
        # Place 0 is START.
        found += [row[one.place + 1] for row, one in zip(vectors, some)]
    return np.array(found)


def show_cosines(layers, senses, occurrences):
    """Print the mean cosine of two vectors of a word, within a sense and between."""
    labels = np.array([one.sense for one in occurrences])
    print(f"\n{'cosines':32} first LSTM       second LSTM")
    print(f"{'':32} within between   within between")
    rows = []
    for sense in range(0, len(senses), 2):
        of_word = [labels == sense, labels == sense + 1]
        cells = []
        for vectors in np.split(layers, 3, axis=1)[1:]:
            unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            one, other = (unit[chosen] for chosen in of_word)
            within = np.concatenate([pairs(one), pairs(other)])
            cells += [within.mean(), (one @ other.T).mean()]
        rows.append(cells)
        counts = "/".join(str(chosen.sum()) for chosen in of_word)
        print(f"  {senses[sense][0]:22} {counts:7} {show(cells)}")
    print(f"  {'mean':30} {show(np.mean(rows, axis=0))}")


def pairs(unit):
    """The cosines of all pairs of different vectors."""
    return (unit @ unit.T)[np.triu_indices(len(unit), 1)]


def show(cells):
    return "{:6.3f} {:7.3f}   {:6.3f} {:7.3f}".format(*cells)


def vectors_around(train, occurrences, elmo, options):
    """What skip-gram says of the words around each occurrence, in four ways."""
    vectors = ka.train_word2vec(
        train,
        d_model=2 * elmo.config["d_model"],
        epochs=10,
        skip_gram=True,
        seed=options.seed,
    )
    scale = 1 / vectors.vectors.std()
    nothing = np.zeros(vectors.vector_size, "float32")

    def mean(words):
        known = [vectors[word] for word in words if word in vectors.key_to_index]
        return scale * np.mean(known, axis=0) if known else nothing

    def around(one, width):
        before = one.words[max(0, one.place - width) : one.place]
        return before, one.words[one.place + 1 : one.place + 1 + width]

    def both_sides(width):
        return [
            np.concatenate([mean(side) for side in around(one, width)])
            for one in occurrences
        ]

    return {
        "skip-gram, mean of the sentence": [
            mean(sum(around(one, 1000), [])) for one in occurrences
        ],
        "skip-gram, mean of 5 words on each side": [
            mean(sum(around(one, 5), [])) for one in occurrences
        ],
        "skip-gram, 3 before and 3 behind apart": both_sides(3),
        "skip-gram, 1 before and 1 behind apart": both_sides(1),
    }


def compare(layers, around, senses, occurrences, options):
    """Print how many senses each kind of vectors tells; return the classifier."""
    labels = np.array([one.sense for one in occurrences])
    fold = np.random.default_rng(options.seed).integers(0, options.folds, len(labels))
    words = [word for word, _ in senses[::2]]
    print(f"\nwhich sense? {len(labels)} times   mean   {' '.join(words)}")
    counts = np.bincount(labels, minlength=len(senses))
    often = np.array([counts[label] >= counts[label ^ 1] for label in labels])
    report("always the more frequent", often, labels)
    known = {}
    for name, vectors in around.items():
        known[name] = right_answers(np.array(vectors), 1, labels, fold, senses)
        report(name, known[name], labels)
    word, first, second = np.split(layers, 3, axis=1)
    for name, vectors, num_layers in (
        ("ELMo, characters alone", word, 1),
        ("ELMo, first LSTM", first, 1),
        ("ELMo, second LSTM", second, 1),
        ("ELMo, mix of all layers", layers, 3),
    ):
        right = right_answers(vectors, num_layers, labels, fold, senses)
        report(name, right, labels)
    best = max(known, key=lambda name: known[name].mean())
    gain = right.astype(float) - known[best]
    margin = 1.96 * gain.std() / len(gain) ** 0.5
    print(f"the mix against {best}:")
    low, high = gain.mean() - margin, gain.mean() + margin
    print(f"  {gain.mean():+.1%}, 95 % interval {low:+.1%} to {high:+.1%}")
    classifier = fit(layers, 3, labels, senses)
    mix = classifier.get_layer("mix")
    print(f"weights of the layers in the mix: {np.round(mix.weights_of_layers, 2)}")
    return classifier


def report(name, right, labels):
    """The share of right answers, of all and of each word's."""
    shares = [right[labels // 2 == word].mean() for word in np.unique(labels // 2)]
    shares = " ".join(f"{share:5.0%}" for share in shares)
    print(f"  {name:40} {right.mean():.1%}   {shares}", flush=True)


def right_answers(vectors, num_layers, labels, fold, senses):
    """Which occurrences are told right by a classifier of the others: (n,), bool."""
    right = np.zeros(len(labels), "bool")
    for held_out in np.unique(fold):
        test = fold == held_out
        model = fit(vectors[~test], num_layers, labels[~test], senses)
        answers = answer(model, vectors[test], labels[test])
        right[test] = answers == labels[test]
    return right


def fit(vectors, num_layers, labels, senses):
    """A classifier that has learned to tell senses from the mix of layers."""
    model, start = new_classifier(vectors.shape[1], num_layers, len(senses))
    # A model is compiled once, and each time begins anew.
    for variable, value in start:
        variable.assign(value)
    # Ten times the same in an epoch, which takes longer to begin than to compute.
    vectors, labels = (np.repeat(x[:, None], 10, axis=0) for x in (vectors, labels))
    model.fit(vectors, labels, epochs=6, batch_size=256, verbose=0)
    return model


@functools.cache
def new_classifier(width, num_layers, num_senses):
    """Layers side by side (1, L * W) -> logits; and what all its variables start as."""
    inputs = keras.Input((1, width))
    mix = ka.ScalarMix(num_layers, name="mix")
    dense = keras.layers.Dense(
        num_senses, kernel_regularizer=keras.regularizers.L2(1e-4), name="senses"
    )
    model = keras.Model(inputs, dense(mix(inputs)))
    model.compile(keras.optimizers.Adam(0.01), loss_of_two, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    variables = model.variables + model.optimizer.variables
    return model, [(v, keras.ops.convert_to_numpy(v)) for v in variables]


def loss_of_two(labels, logits):
    """-log of the probability of a sense against the other one of its word."""
    labels = keras.ops.cast(labels, "int32")[..., None]
    of_label = keras.ops.take_along_axis(logits, labels, axis=-1)
    of_other = keras.ops.take_along_axis(logits, labels ^ 1, axis=-1)
    return keras.ops.softplus(of_other - of_label)[..., 0]


def answer(model, vectors, labels):
    """The likelier sense of the word whose senses `labels` and `labels` ^ 1 are."""
    logits = keras.ops.convert_to_numpy(model(vectors[:, None]))[:, 0]
    rows, first = np.arange(len(labels)), labels // 2 * 2
    return first + (logits[rows, first + 1] > logits[rows, first])


def serve(encoder, classifier, tokenizer, senses, occurrences, options):
    """Export sentences to the senses of their words, and ask the export."""
    characters = keras.Input((None, CHARACTERS), dtype="int32")
    mix, dense = classifier.get_layer("mix"), classifier.get_layer("senses")
    model = keras.Model(characters, dense(mix(encoder(characters))))
    folder = options.out / "senses" / "1"
    ka.TextModel(model, tokenizer).export(folder)
    print(f"\n{folder}")
    asked = {one.sense: " ".join(one.words) for one in reversed(occurrences)}
    texts = [asked[sense] for sense in sorted(asked)[:6]]
    served = tf.saved_model.load(folder).signatures["serving_default"]
    found = served(text=tf.constant(texts))
    names = [word for word, _ in senses]
    for text, words, logits in zip(texts, found["words"], found["output"].numpy()):
        for place, word in enumerate(word.decode() for word in words.numpy()):
            if word in names:
                first = names.index(word)
                likelier = first + int(logits[place, first + 1] > logits[place, first])
                print(f"  {word} as in {senses[likelier][1]!r}: {text}")


if __name__ == "__main__":
    main()
