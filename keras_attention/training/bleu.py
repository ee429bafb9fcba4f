"""Weights at the end of an epoch -> BLEU of what the model translates with them."""

import dataclasses
import pathlib
import sys

import keras

from keras_attention.files.replaced_file import replaced_file
from keras_attention.layers.requirements import require_positive
from keras_attention.training.evaluation import (
    measure_bleu,
    reference_sets,
    require_comparable,
    require_list,
    require_tokenization,
)
from keras_attention.training.event_file import EventFile


class BleuCallback(keras.callbacks.Callback):
    """Translate a validation set as a user would, and train by what BLEU says of it.

    At the end of an epoch it puts `val_bleu`, from 0 to 100, into the logs. History
    and the progress bar have it without more. A callback that is to see it comes after
    this one in the list: `EarlyStopping("val_bleu", mode="max")`, `ModelCheckpoint`,
    `CSVLogger`, `Checkpoints`. After `keras.callbacks.SwapEMAWeights`, with
    `swap_on_epoch=True`, this one measures the averaged weights. In an epoch without
    evaluation the logs have no `val_bleu`, as with `validation_freq` of `fit`; what
    reads it needs the same `every`, and CSVLogger takes its columns from the first
    epoch.

    Args:
        translate: `(list of str) -> list of str` by the weights of the model as they
            are at the call, such as a `Translator` of the model that trains.
        sources: List of str to translate.
        references: Their translations, as for `evaluate`.
        every: Epochs from one evaluation to the next.
        patience: Evaluations in a row without a higher BLEU until training is stopped;
            None for no end.
        best: Where the weights of the highest BLEU are to be, a `.weights.h5` file.
            What is there is replaced, but only when the new file is whole.
        samples: Translations shown at each evaluation, of the same sentences each time
            and from all over the set.
        log_dir: Folder of TensorBoard's for BLEU and the samples, such as
            "logs/validation" if Keras's `TensorBoard` has "logs". Steps are epochs
            from 0, as there.
        lowercase, tokenize: See `evaluate`.
        verbose: 1 prints BLEU with its signature and the samples, 0 nothing.

    Raises:
        TypeError: If something else than str is to be translated or compared.
        ValueError: If an argument is out of its range, or there are not as many
            references as sources; at the end of an epoch if `translate` does not
            return as many texts as it gets.
        ImportError: If sacrebleu is not installed; or, for `log_dir`, tensorboard.

    Example:

        translator = Translator(model, tokenizer, tokenizer, beam_size=1)
        bleu = BleuCallback(
            translator, sources, references, patience=5, best="best.weights.h5"
        )
        model.fit(batches, epochs=100, callbacks=[bleu])
        model.load_weights("best.weights.h5")
    """

    def __init__(
        self,
        translate,
        sources,
        references,
        every=1,
        patience=None,
        best=None,
        samples=3,
        log_dir=None,
        lowercase=False,
        tokenize="13a",
        verbose=1,
    ):
        super().__init__()
        require_positive("BleuCallback", every=every)
        if patience is not None:
            require_positive("BleuCallback", patience=patience)
        if samples:
            require_positive("BleuCallback", samples=samples)
        require_tokenization("BleuCallback", tokenize)
        require_comparable("BleuCallback", sources, references, "sources")
        require_weights_path(best)
        self.translate = translate
        self.sources = sources
        self.references = references
        self.every = every
        self.patience = patience
        self.best = best
        self.samples = samples
        self.log_dir = log_dir
        self.lowercase = lowercase
        self.tokenize = tokenize
        self.verbose = verbose
        self._events = None if log_dir is None else EventFile("BleuCallback", log_dir)
        self._progress = Progress()

    def get_state(self):
        """What a training that is started again goes on from, for JSON."""
        return dataclasses.asdict(self._progress)

    def set_state(self, state):
        """Go on from what `get_state` returned."""
        self._progress = Progress(**state)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        translations = self.translate(self.sources)
        require_translations(translations, self.sources)
        bleu, signature = measure_bleu(
            "BleuCallback",
            translations,
            self.references,
            self.lowercase,
            self.tokenize,
        )
        if logs is not None:
            logs["val_bleu"] = bleu
        self._note(epoch + 1, bleu)
        table = self._samples_of(translations)
        if self._events is not None:
            tables = {"translations": table} if self.samples else {}
            self._events.add(epoch, {"bleu": bleu}, tables)
        if self.verbose:
            # The progress bar of the epoch has not ended its line yet.
            write(f"\nEpoch {epoch + 1}: val_bleu {bleu:.2f}, {self._progress}")
            write(f"  {'signature':9}  {signature}")
            write_samples(table)
        self._stop_without_gain()

    def _note(self, epoch, bleu):
        """Take note of BLEU, and save the weights if it was never higher."""
        progress = self._progress.after(epoch, bleu)
        if self.best is not None and not progress.evaluations_without_gain:
            with replaced_file(self.best) as aside:
                self.model.save_weights(aside)
        self._progress = progress

    def _samples_of(self, translations):
        """Some sentences, the same each time: a table, its first row the heads."""
        sets = reference_sets(self.references)
        heads = ("source", "model", *["reference"] * len(sets))
        return [heads] + [
            (self.sources[index], translations[index], *(one[index] for one in sets))
            for index in spread(self.samples, len(self.sources))
        ]

    def _stop_without_gain(self):
        """Stop the training, if BLEU has not risen for as long as the user waits."""
        waited = self._progress.evaluations_without_gain
        if self.patience is not None and waited >= self.patience:
            self.model.stop_training = True
            if self.verbose:
                write(f"  BLEU has not risen for {waited} evaluations: training stops.")


@dataclasses.dataclass(frozen=True)
class Progress:
    """How BLEU has gone so far.

    Attributes:
        best_bleu: The highest, or None before the first evaluation.
        best_epoch: When it was reached, counted from 1.
        evaluations_without_gain: Evaluations since then.
    """

    best_bleu: float | None = None
    best_epoch: int | None = None
    evaluations_without_gain: int = 0

    def after(self, epoch, bleu):
        """What it is after one more evaluation."""
        if self.best_bleu is None or bleu > self.best_bleu:
            return Progress(bleu, epoch)
        waited = self.evaluations_without_gain + 1
        return Progress(self.best_bleu, self.best_epoch, waited)

    def __str__(self):
        return f"best {self.best_bleu:.2f} of epoch {self.best_epoch}"


def spread(count, size):
    """At most `count` of the numbers below `size`, evenly spread over them."""
    count = min(count, size)
    return [(2 * place + 1) * size // (2 * count) for place in range(count)]


def write_samples(table):
    """Print a table with heads: a line for each cell, behind the head of its column."""
    heads, *rows = table
    for row in rows:
        for head, cell in zip(heads, row):
            write(f"  {head:9}  {cell}")


def write(text):
    """Print text, whatever the terminal's encoding lacks escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def require_translations(translations, sources):
    """Raise unless there is a translation for each source."""
    require_list("BleuCallback", "translations", translations)
    if len(translations) != len(sources):
        raise ValueError(
            f"BleuCallback: got {len(translations)} texts from translate for "
            f"{len(sources)} sources, but each needs its translation. Let translate "
            f"return a text for each, and an empty one if there is nothing to say."
        )


def require_weights_path(path):
    """Raise ValueError unless Keras can save weights at a path, or it is None."""
    if path is not None and not pathlib.Path(path).name.endswith(".weights.h5"):
        raise ValueError(
            f"BleuCallback: got best={str(path)!r}, but Keras saves weights only in "
            f"files that end in .weights.h5. Let it end so."
        )
