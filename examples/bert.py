"""Pre-train a small BERT on plain text, fine-tune it twice, and see what it gained.

    python examples/bert.py                              300 news articles in gensim
    python examples/bert.py --text train.de.gz --lines   captions of Multi30k, in German
    python examples/bert.py --text train.en.gz --lines --model all-MiniLM-L6-v2
                                                         real weights instead
    python examples/bert.py ... --model saved_models/bert        the tasks alone, again

A vocabulary is learned from the text, then a BERT from nothing: it guesses hidden
words, and where a line is an article also whether one sentence follows another. The
last tenth of the lines is held out; there the guesses are measured, and some are shown.

Then two tasks for which any text has the answers, learned from few examples: does this
end of a sentence belong to that beginning (a pair of texts -> a class), and which words
are written with a capital letter, of a text in small letters (each word -> a label; in
German, the nouns). Both are learned by the BERT that was pre-trained, and by one of the
same size that was not. What was learned is exported, and asked in a fresh process.
"""

import argparse
import gzip
import json
import pathlib
import re
import subprocess
import sys
import time

import keras
import numpy as np

import keras_attention as ka

# Asks an export with a line of JSON for each of its inputs, without the package.
ASK = """
import json, sys
import tensorflow as tf, tensorflow_text
folder, signature, texts = json.loads(sys.argv[1])
serve = tf.saved_model.load(folder).signatures[signature]
found = serve(**{name: tf.constant(column) for name, column in texts.items()})
for row in zip(*(found[name].numpy().tolist() for name in sorted(found))):
    print("  ", *(json.dumps(plain, ensure_ascii=False) for plain in
                  json.loads(json.dumps(row, default=bytes.decode))))
"""


def main():
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    documents = read_documents(options)
    first = len(documents) * 9 // 10
    train, held_out = documents[:first], documents[first:]
    print(f"{len(documents)} lines, {sum(map(len, documents))} sentences")
    if options.model:
        bert, tokenizer = load(options.model)
    else:
        bert, tokenizer = pretrain(train, held_out, options)
    train, held_out = sum(train, []), sum(held_out, [])
    for task in TASKS:
        if task.name in options.tasks:
            compare(task(tokenizer, options), bert, train, held_out, options)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", type=pathlib.Path, help="plain text, gzipped or not")
    add("--lines", action="store_true", help="lines are sentences, in no order")
    add("--out", type=pathlib.Path, default="saved_models/bert")
    add(
        "--model",
        type=pathlib.Path,
        help="a folder: a former --out, or a BERT in "
        "Hugging Face's format; then nothing is pre-trained",
    )
    add("--vocabulary", help="a vocab.txt, if none is to be learned")
    add("--vocab-size", type=int, default=4000, help="pieces (default: 4000)")
    add("--layers", type=int, default=3)
    add("--d-model", type=int, default=128)
    add("--heads", type=int, default=4)
    add("--epochs", type=int, default=8, help="of pre-training (default: 8)")
    add("--peak-rate", type=float, default=2e-3, help="of pre-training")
    tasks = [task.name for task in TASKS]
    add("--tasks", nargs="+", choices=tasks, default=tasks, help="to be learned")
    add("--examples", type=int, default=1000, help="sentences of each task")
    add("--task-epochs", type=int, default=8, help="passes over these (default: 8)")
    add("--task-rate", type=float, default=5e-4, help="learning rate of the tasks")
    add("--batch-size", type=int, default=64)
    add("--max-length", type=int, default=64, help="tokens (default: 64)")
    add("--seed", type=int, default=0)
    return parser.parse_args()


def read_documents(options):
    """Lists of sentences, a list for each line."""
    path = options.text or news_articles()
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    if options.lines:
        return [[line] for line in lines if line]
    documents = (re.split(r"(?<=[.!?])\s+", line) for line in lines)
    return [[one for one in lines if len(one.split()) > 2] for lines in documents]


def news_articles():
    """A corpus that gensim has for its tests (Lee et al., 2005): one article a line."""
    from gensim.test.utils import datapath

    return pathlib.Path(datapath("lee_background.cor"))


def load(folder):
    """What this program pre-trained before, or a model in Hugging Face's format."""
    ours = folder / "pretraining.keras"
    if not ours.exists():
        return ka.load_bert(folder)
    tokenizer = ka.WordPieceTokenizer.load(folder / "vocab.txt")
    return keras.saving.load_model(ours).bert, tokenizer


def pretrain(train, held_out, options):
    """Learn a vocabulary and a Bert from sentences; return both."""
    started = time.process_time()
    if options.vocabulary:
        tokenizer = ka.WordPieceTokenizer.load(options.vocabulary)
    else:
        tokenizer = ka.WordPieceTokenizer.train(sum(train, []), options.vocab_size)
        tokenizer.save(options.out / "vocab.txt")
    seconds = time.process_time() - started
    print(f"\nvocabulary of {tokenizer.vocab_size} pieces: {seconds:.0f} s of CPU")

    road = ka.set_fast_road()
    batches = make_batches(train, tokenizer, options, fixed=False)
    valid = make_batches(held_out, tokenizer, options, fixed=True)
    bert = ka.Bert(
        tokenizer.vocab_size,
        num_layers=options.layers,
        d_model=options.d_model,
        num_heads=options.heads,
        d_ff=4 * options.d_model,
        max_length=options.max_length,
    )
    model = ka.BertPretraining(bert, next_sentence=not options.lines)
    loss, metrics = {"tokens": ka.MaskedCrossentropy()}, {}
    metrics["tokens"] = [ka.MaskedAccuracy(), ka.Perplexity()]
    if model.next_sentence:
        loss["next"] = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metrics["next"] = ["accuracy"]
    steps = options.epochs * len(batches)
    optimizer = make_optimizer(options.peak_rate, steps)
    model.compile(optimizer, loss=loss, metrics=metrics, jit_compile=road.jit_compile)
    started = time.process_time()
    model.fit(batches, validation_data=valid, epochs=options.epochs, verbose=2)
    seconds = time.process_time() - started
    print(f"{model.count_params():,} weights, {steps} steps: {seconds:.0f} s of CPU")
    print("held out:", model.evaluate(valid, verbose=0, return_dict=True))
    labels = np.concatenate([labels["tokens"].ravel() for _, labels in batches])
    most_frequent = np.bincount(labels[labels > 0]).argmax()
    answers = np.concatenate([labels["tokens"].ravel() for _, labels in valid])
    share = np.mean(answers[answers > 0] == most_frequent)
    print(f"always {tokenizer.vocabulary[most_frequent]!r}: {share:.1%} right")
    model.save(options.out / "pretraining.keras")
    show_blanks(model, tokenizer, [lines[0] for lines in held_out[:8]])
    return bert, tokenizer


def make_batches(documents, tokenizer, options, fixed):
    """Masked sentences, and pairs of them where their order means something."""
    sentences = tokenizer.tokenize(sum(documents, []))
    numbers = np.repeat(np.arange(len(documents)), list(map(len, documents)))
    return ka.PretrainingBatches(
        sentences,
        tokenizer,
        None if options.lines else numbers,
        batch_size=options.batch_size,
        max_length=options.max_length,
        fixed=fixed,
        seed=options.seed,
    )


def make_optimizer(peak_rate, steps):
    """AdamW; a tenth of the steps up to the peak, then down to 0, as a cosine."""
    warm_up = max(1, steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=peak_rate, warmup_steps=warm_up
    )
    return keras.optimizers.AdamW(schedule, weight_decay=0.01, clipnorm=1.0)


def show_blanks(model, tokenizer, sentences):
    """Hide a word near the middle of each, and print the three likeliest there."""
    print("\nfill in the blank, three guesses; what stood there")
    for sentence in sentences:
        pieces = ["[CLS]", *tokenizer.pieces(sentence)[:60], "[SEP]"]
        position = word_near_the_middle(pieces)
        truth, pieces[position] = pieces[position], "[MASK]"
        ids = np.array([[tokenizer.vocabulary.index(piece) for piece in pieces]])
        inputs = {"token_ids": ids, "segment_ids": 0 * ids}
        logits = model({**inputs, "positions": np.array([[position]])})["tokens"]
        logits = keras.ops.convert_to_numpy(keras.ops.cast(logits, "float32"))[0, 0]
        guesses = [tokenizer.vocabulary[id] for id in np.argsort(-logits)[:3]]
        print("  ", " ".join(pieces[1:-1]).replace(" ##", ""))
        print(f"      {', '.join(guesses)}; {truth}")


def word_near_the_middle(pieces):
    """Position of a word of one piece and four letters or more, if there is one."""
    words = [
        position
        for position in range(1, len(pieces) - 1)
        if len(pieces[position]) >= 4
        and not pieces[position].startswith("##")
        and not pieces[position + 1].startswith("##")
    ]
    middle = len(pieces) // 2
    return min(words, key=lambda position: abs(position - middle), default=middle)


def compare(task, bert, train, held_out, options):
    """Learn a task from a Bert and from one that knows nothing; export the better."""
    inputs, labels = task.examples(train, options.examples)
    tests, answers = task.examples(held_out, 2000)
    print(f"\n{task.question} {len(labels)} sentences, {len(answers)} held out")
    for name, right in task.baselines(inputs, labels, tests, answers):
        print(f"   {name:28} {right:.1%}")
    for name, start in (("from random weights", None), ("pre-trained", bert)):
        keras.utils.set_random_seed(options.seed)
        model = task.model(ka.Bert.from_config(bert.get_config()))
        if start is not None:
            model.bert.set_weights(start.get_weights())
        steps = options.task_epochs * -(-options.examples // 32)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(
            make_optimizer(options.task_rate, steps),
            loss,
            metrics=["accuracy"],
            jit_compile=False,
        )
        started = time.process_time()
        model.fit(inputs, labels, 32, options.task_epochs, verbose=0)
        seconds = time.process_time() - started
        right = model.evaluate(tests, answers, batch_size=128, verbose=0)[1]
        print(f"   {name:28} {right:.1%}, {seconds:.0f} s of CPU", flush=True)
    task.export(model, options.out / task.name / "1", held_out)


class Task:
    """What both tasks share."""

    def __init__(self, tokenizer, options):
        self.tokenizer, self.options = tokenizer, options
        self.random = np.random.default_rng(options.seed)

    def choose(self, sentences, number):
        """Some sentences of eight words or more, at random."""
        long = [line for line in sentences if len(line.split()) >= 8]
        chosen = self.random.permutation(len(long))[:number]
        return [long[index] for index in chosen]

    def ask(self, folder, signature, **texts):
        """Print what an export says, in a process without this package."""
        print(f"   {folder}, asked in a fresh process:", flush=True)
        asked = json.dumps([str(folder), signature, texts])
        subprocess.run([sys.executable, "-c", ASK, asked], check=True)


class Pairs(Task):
    """Does this end belong to that beginning?"""

    name = "pairs"
    question = "does the end belong to the beginning?"
    classes = ("it does", "it does not")

    def examples(self, sentences, number):
        """Half of the ends are those of other sentences."""
        beginnings, ends = zip(*map(self.halves, self.choose(sentences, number)))
        labels = self.random.integers(0, 2, len(ends))
        ends = np.where(labels, np.roll(ends, 1), ends).tolist()
        inputs = self.tokenizer.encode(
            list(beginnings), ends, max_length=self.options.max_length
        )
        return {name: np.array(ids) for name, ids in inputs.items()}, labels

    def halves(self, sentence):
        words = sentence.split()
        middle = len(words) // 2
        return " ".join(words[:middle]), " ".join(words[middle:])

    def baselines(self, inputs, labels, tests, answers):
        yield "always the more frequent", max(answers.mean(), 1 - answers.mean())

    def model(self, bert):
        return ka.BertClassifier(bert, self.classes)

    def export(self, model, folder, held_out):
        classifier = ka.BertTextClassifier(model, self.tokenizer)
        classifier.export(folder)
        (one, end), (_, other) = map(self.halves, self.choose(held_out, 2))
        self.ask(folder, "pair", text=[one, one], second_text=[end, other])


class Capitals(Task):
    """Which words are written with a capital letter?"""

    name = "capitals"
    question = "which words have a capital letter?"
    labels = ("small", "capital")

    def examples(self, sentences, number):
        """The first word of a sentence, and what has no letters, is not asked."""
        words = [re.findall(r"\w+|[^\w\s]", s) for s in self.choose(sentences, number)]
        inputs = self.tokenizer.encode_words(words, max_length=self.options.max_length)
        inputs = {name: np.array(ids) for name, ids in inputs.items()}
        labels = np.zeros_like(inputs["positions"])
        for row, line in enumerate(words):
            for place, word in enumerate(line):
                if place == 0 or not word[0].isalpha():
                    inputs["positions"][row, place] = 0
                labels[row, place] = word[0].isupper()
        return inputs, labels

    def baselines(self, inputs, labels, tests, answers):
        """Each word as it was oftener among the examples, by its first piece alone."""
        asked = tests["positions"] > 0
        yield "always small", 1 - answers[asked].mean()
        votes = np.zeros(self.tokenizer.vocab_size)
        learned = inputs["positions"] > 0
        pieces = np.take_along_axis(inputs["token_ids"], inputs["positions"], 1)
        np.add.at(votes, pieces[learned], 2 * labels[learned] - 1)
        pieces = np.take_along_axis(tests["token_ids"], tests["positions"], 1)
        yield (
            "as its first piece oftener",
            np.mean((votes[pieces[asked]] > 0) == answers[asked]),
        )

    def model(self, bert):
        return ka.BertTagger(bert, self.labels)

    def export(self, model, folder, held_out):
        ka.BertWordTagger(model, self.tokenizer).export(folder)
        self.ask(folder, "serving_default", text=[held_out[0].lower()])


TASKS = Pairs, Capitals

if __name__ == "__main__":
    main()
