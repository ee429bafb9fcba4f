"""A trained model and its tokenizers -> sentences in, sentences out."""

import json
import pathlib

import keras
import numpy as np
import tensorflow as tf

from keras_attention.decoding.beam_search import (
    beam_search,
    require_beams,
    require_growing_penalty,
)
from keras_attention.export.replaced_folder import replaced_folder
from keras_attention.layers.requirements import require_positive
from keras_attention.special_tokens import END, PAD
from keras_attention.text.tokenizer import SubwordTokenizer

MODEL_FILE = "model.keras"
SOURCE_FILE = "source_tokenizer.model"
TARGET_FILE = "target_tokenizer.model"
SETTINGS_FILE = "translator.json"
FORMAT = 1


class Translator:
    """Translate sentences with a trained Transformer and beam search.

    The same graph answers here and in the exported SavedModel: sentences are cut
    into pieces, encoded, searched for, and put together again, all in TensorFlow.
    No sentence's answer depends on which others are translated with it.

    Args:
        model: A `Transformer`.
        source_tokenizer: `SubwordTokenizer` of the model's source vocabulary.
        target_tokenizer: `SubwordTokenizer` of the model's target vocabulary; may be
            the same.
        beam_size: K, hypotheses kept for each sentence; 1 is the quickest.
        length_penalty: Exponent of the length that scores are divided by, at least 0;
            more favours longer sentences.
        max_source_length: Longest source in tokens, END included. A longer one is
            an error, as what does not fit would be lost without a word.
        length_ratio, length_offset: A translation gets at most length_ratio times as
            many tokens as its source, and length_offset more.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ValueError: If a tokenizer does not fit the model's vocabulary, or a setting
            is out of its range.

    Source:
        Beam 4, penalty 0.6 and source length + 50: Vaswani et al., 2017, section 6.1.

    Example:

        translator = Translator(model, source_tokenizer, target_tokenizer)
        translator(["A dog runs."])
        translator.save("translators/en-de")
        translator.export("saved_models/en-de/1")
    """

    def __init__(
        self,
        model,
        source_tokenizer,
        target_tokenizer,
        beam_size=4,
        length_penalty=0.6,
        max_source_length=512,
        length_ratio=1.0,
        length_offset=50,
    ):
        require_tensorflow()
        require_fitting(model, "source", source_tokenizer)
        require_fitting(model, "target", target_tokenizer)
        require_positive("Translator", max_source_length=max_source_length)
        require_beams(beam_size, 1)
        require_growing_penalty(length_penalty)
        require_room_for_tokens(length_ratio, length_offset)
        self.model = model
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.beam_size = beam_size
        self.length_penalty = length_penalty
        self.max_source_length = max_source_length
        self.length_ratio = length_ratio
        self.length_offset = length_offset
        self._search = tf.function(
            self.search,
            input_signature=[tf.TensorSpec((None, None), tf.int32)],
            autograph=False,
        )

    def __call__(self, texts, batch_size=64, verbose=0):
        """Translate sentences of any number and length.

        Sentences of like length are translated together, the longest first; the
        answers come in the order of the questions.

        Args:
            texts: List, tuple or array of str.
            batch_size: Sentences translated at once.
            verbose: 1 shows a progress bar.

        Returns:
            A list of str, one for each text; "" for one without any token.

        Raises:
            TypeError: If `texts` is a single str, or holds something else than str.
            ValueError: If a text has more than `max_source_length` tokens, or holds
                half a surrogate pair, which is no Unicode text.
        """
        texts = require_texts(texts)
        if not texts:
            return []
        pieces = self.source_tokenizer.tokenize(texts)  # (B, None), ragged
        lengths = pieces.row_lengths().numpy()
        require_short_enough(lengths + 1, self.max_source_length)
        longest_first = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
        progress = keras.utils.Progbar(len(longest_first), verbose=verbose)
        answers = [""] * len(texts)
        for first in range(0, len(longest_first), batch_size):
            rows = longest_first[first : first + batch_size]
            found = self._search(with_end(tf.gather(pieces, rows)))
            for row, answer in zip(
                rows, self.target_tokenizer.detokenize(found).numpy()
            ):
                answers[row] = answer.decode(errors="replace")
            progress.add(len(rows))
        return answers

    def translate(self, text):
        """Do the whole of it in a graph: strings (B,) -> strings (B,).

        Raises:
            tf.errors.InvalidArgumentError: If a text is too long, when the graph runs.
        """
        pieces = self.source_tokenizer.tokenize(text)
        lengths = tf.cast(pieces.row_lengths(), tf.int32)  # (B,)
        longest = tf.reduce_max(tf.concat([lengths + 1, [1]], axis=0))
        tf.debugging.assert_less_equal(
            longest,
            self.max_source_length,
            message=f"A text has more than max_source_length={self.max_source_length} "
            "tokens. Split it into sentences.",
        )
        found = self.target_tokenizer.detokenize(self.search(with_end(pieces)))
        return tf.where(lengths > 0, found, "")

    def search(self, source_ids):
        """Find the best translation of each source: ids (B, S) -> ids (B, T)."""
        lengths = tf.reduce_sum(tf.cast(source_ids != PAD, tf.int32), axis=1)  # (B,)
        # START comes on top of the tokens that a translation is granted.
        limits = (
            1
            + self.length_offset
            + tf.cast(self.length_ratio * tf.cast(lengths, tf.float32), tf.int32)
        )
        max_length = tf.reduce_max(tf.concat([limits, [2]], axis=0))
        next_logits, start_ids, cache = self.model.start_search(source_ids, max_length)
        hypotheses = beam_search(
            next_logits,
            start_ids,
            max_length=max_length,
            beam_size=self.beam_size,
            length_penalty=self.length_penalty,
            length_limits=tf.maximum(limits, 2),
            cache=cache,
        )
        return hypotheses.ids[:, 0]  # (B, T)

    def get_config(self):
        """The settings of the search, as the constructor takes them."""
        return {
            "beam_size": self.beam_size,
            "length_penalty": self.length_penalty,
            "max_source_length": self.max_source_length,
            "length_ratio": self.length_ratio,
            "length_offset": self.length_offset,
        }

    def save(self, folder):
        """Write all that `load` needs into one folder, to go on with in Keras.

        What was saved there before is replaced, but only when the new one is whole.

        Raises:
            FileExistsError: If the folder holds other things than a translator.
        """
        with replaced_folder("Translator.save", folder, SETTINGS_FILE) as aside:
            self.model.save(aside / MODEL_FILE)
            self.source_tokenizer.save(aside / SOURCE_FILE)
            self.target_tokenizer.save(aside / TARGET_FILE)
            settings = {"format": FORMAT, **self.get_config()}
            (aside / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n")

    @classmethod
    def load(cls, folder):
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: If there is no such folder, or a file in it is missing.
            ValueError: If a file in it can not be read.
        """
        folder = pathlib.Path(folder)
        require_whole(folder)
        settings = read_settings(folder / SETTINGS_FILE)
        try:
            model = keras.saving.load_model(folder / MODEL_FILE)
        except Exception as error:
            raise ValueError(
                f"Translator.load: got the folder {folder}, but its {MODEL_FILE} can "
                f"not be read ({type(error).__name__}: {error}). Save the translator "
                f"again."
            ) from error
        source_tokenizer = SubwordTokenizer.load(folder / SOURCE_FILE)
        target_tokenizer = SubwordTokenizer.load(folder / TARGET_FILE)
        return cls(model, source_tokenizer, target_tokenizer, **settings)

    def export(self, folder):
        """Write a SavedModel that takes sentences and returns sentences.

        It needs nothing of this package: `tensorflow` and `tensorflow_text` load it,
        and so does TensorFlow Serving. Its signature `serving_default` takes `text`,
        strings (None,), and returns `text`, strings (None,). What was exported there
        before is replaced, but only when the new one is whole.

        Args:
            folder: For TensorFlow Serving the name of the model and a version number,
                such as "saved_models/en-de/1".

        Raises:
            FileExistsError: If the folder holds other things than a SavedModel.
        """
        with replaced_folder("Translator.export", folder, "saved_model.pb") as aside:
            served = ServedTranslator(self)
            signature = served.serve.get_concrete_function()
            tf.saved_model.save(
                served, str(aside), signatures={"serving_default": signature}
            )


class ServedTranslator(tf.Module):
    """What a SavedModel holds: the graph, the tokenizers' resources, the weights.

    The weights are tracked as they are, and the Keras model only in the closure of
    the graph: were it tracked, too, the graph would have two variables for each
    weight, and the loader of TensorFlow Serving would restore only one of them.
    """

    def __init__(self, translator):
        super().__init__()
        self.source_tokenizer = translator.source_tokenizer
        self.target_tokenizer = translator.target_tokenizer
        self.weights = [weight.value for weight in translator.model.weights]
        self.serve = tf.function(
            lambda text: {"text": translator.translate(text)},
            input_signature=[tf.TensorSpec((None,), tf.string, name="text")],
            autograph=False,
        )


def with_end(pieces):
    """Close each source with END: ragged (B, None) -> padded (B, S), int32."""
    ends = tf.fill((pieces.nrows(), 1), END)
    return tf.concat([pieces, ends], axis=1).to_tensor(PAD)


def require_tensorflow():
    """Raise RuntimeError unless Keras runs on TensorFlow."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"Translator: got the backend {backend!r}, but sentences are cut, searched "
            f"for and put together in one TensorFlow graph. Save the model, set "
            f"KERAS_BACKEND=tensorflow and load it there: its weights are the same."
        )


def require_fitting(model, side, tokenizer):
    """Raise ValueError unless a tokenizer has as many pieces as the model has ids."""
    vocab_size = model.config[f"{side}_vocab_size"]
    if tokenizer.vocab_size != vocab_size:
        raise ValueError(
            f"Translator: got a {side}_tokenizer of {tokenizer.vocab_size} pieces and "
            f"a model with {side}_vocab_size={vocab_size}, but each id must mean the "
            f"same to both. Use the tokenizer that the model was trained with."
        )


def require_room_for_tokens(length_ratio, length_offset):
    """Raise ValueError unless every translation is granted at least one token."""
    if length_ratio < 0 or length_ratio + length_offset < 1:
        raise ValueError(
            f"Translator: got length_ratio={length_ratio} and "
            f"length_offset={length_offset}, but a translation needs room for END at "
            f"least. Use a ratio of 0 or more, and together 1 or more."
        )


def require_texts(texts):
    """Return the texts as a list of bytes; raise unless all are Unicode text."""
    if isinstance(texts, (str, bytes)):
        raise TypeError(
            f"Translator: got one {type(texts).__name__}, but a list of sentences is "
            f"needed, as many are translated at once. Put it into a list: [text]."
        )
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"Translator: got {type(text).__name__} at index {index}, but only str "
                f"can be translated. Convert it with str() or decode it first."
            )
    try:
        return [text.encode() for text in texts]
    except UnicodeEncodeError as error:
        raise ValueError(
            f"Translator: got a text with half a surrogate pair "
            f"({error.object[error.start]!a} at character {error.start}), which is no "
            f"Unicode text. Decode its source with errors='replace'."
        ) from error


def require_short_enough(lengths, max_source_length):
    """Raise ValueError if a source has more tokens than the translator takes."""
    if lengths.max() > max_source_length:
        index = int(lengths.argmax())
        raise ValueError(
            f"Translator: got a text of {lengths[index]} tokens at index {index}, but "
            f"at most max_source_length={max_source_length} are translated at once. "
            f"Split it into sentences, or build the translator with a larger "
            f"max_source_length."
        )


def require_whole(folder):
    """Raise FileNotFoundError unless a folder holds all that `save` writes."""
    files = (SETTINGS_FILE, MODEL_FILE, SOURCE_FILE, TARGET_FILE)
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"Translator.load: got the folder {folder}, but it has no "
            f"{', no '.join(missing)}. Give a folder that Translator.save wrote."
        )


def read_settings(path):
    """The constructor's settings from a file; raise ValueError if unreadable."""
    try:
        settings = json.loads(path.read_text())
        written_as = settings.pop("format")
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"Translator.load: got the settings {path}, but they can not be read "
            f"({type(error).__name__}: {error}). Save the translator again."
        ) from error
    if written_as != FORMAT:
        raise ValueError(
            f"Translator.load: got the settings {path} in format {written_as}, but "
            f"this version reads format {FORMAT}. Load it with the one that saved it."
        )
    return settings
