"""A trained model and its tokenizers -> sentences in, sentences out."""

import dataclasses
import functools
import json
import pathlib
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_attention.decoding.sampling import sample
from keras_attention.decoding.scoring import Scores
from keras_attention.decoding.search_settings import SearchSettings
from keras_attention.export.frozen_model import freeze
from keras_attention.export.graph_function import (
    IDS,
    TEXT,
    graph_function,
    require_tensorflow,
)
from keras_attention.export.numeric_format import format_of, require_numeric_format
from keras_attention.export.sentence_graph import SentenceGraph, with_end
from keras_attention.export.texts import as_text, require_texts
from keras_attention.export.warm_up import write_warm_up_requests
from keras_attention.files.replaced_file import replaced_file
from keras_attention.files.replaced_folder import EXPORTED, replaced_folder
from keras_attention.layers.requirements import require_positive
from keras_attention.models.attention_maps import KINDS, AttentionMaps
from keras_attention.text.marian_tokenizer import load_tokenizer

MODEL_FILE = "model.keras"
SOURCE_FILE = "source_tokenizer.model"
TARGET_FILE = "target_tokenizer.model"
SETTINGS_FILE = "translator.json"
FILES = (SETTINGS_FILE, MODEL_FILE, SOURCE_FILE, TARGET_FILE)
FORMAT = 2

TARGET = tf.TensorSpec((None,), tf.string, name="target")


class Translation(NamedTuple):
    """One translation of a text, and how good the model finds it.

    Attributes:
        text: str.
        score: What translations of one text are ranked by: the log probability divided
            by the length penalty, and the coverage penalty added.
        log_prob: Log probability of its tokens, END included, in nats.
    """

    text: str
    score: float
    log_prob: float


class Alignment(NamedTuple):
    """A translation, and where each of its pieces looks.

    Attributes:
        text: str.
        source_pieces: S pieces of the source, "</s>" at the end.
        target_pieces: T pieces of the translation, "</s>" at the end.
        weights: (T, S), float32; each row sums to 1.
    """

    text: str
    source_pieces: list
    target_pieces: list
    weights: np.ndarray


class Translator:
    """Translate sentences with a trained model.

    Sentences are cut into pieces, encoded, searched for and put together again in one
    graph of TensorFlow, here and in the exported SavedModel. No sentence's answer
    depends on which others are translated with it. Here the model's weights are read
    as they are now; the export keeps those of its day, and is the faster one.

    Args:
        model: A `Transformer` or a `RecurrentSeq2Seq`.
        source_tokenizer: `SubwordTokenizer` of the model's source vocabulary, or a
            `MarianTokenizer`.
        target_tokenizer: The same of the model's target vocabulary; may be the same
            one.
        max_source_length: Longest source in tokens, END included. A longer one is
            an error, as what does not fit would be lost without a word.
        **settings: `beam_size`, `length_penalty` and whatever else `SearchSettings`
            has.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ValueError: If a tokenizer does not fit the model's vocabulary, or a setting
            is out of its range, or needs attention that the model has not.

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
        max_source_length=512,
        **settings,
    ):
        require_tensorflow("Translator")
        require_fitting(model, "source", source_tokenizer)
        require_fitting(model, "target", target_tokenizer)
        require_positive("Translator", max_source_length=max_source_length)
        self.settings = SearchSettings(**settings)
        require_in_vocabulary(self.settings, model.config["target_vocab_size"])
        if self.settings.coverage_penalty:
            require_attention(
                model, f"coverage_penalty={self.settings.coverage_penalty}"
            )
        self.model = model
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.max_source_length = max_source_length
        self._graph = self.graph(model, batch_size=64)
        # Caches of its own, which end with it.
        self._several = functools.cache(self._make_several)
        self._drawn = functools.lru_cache(maxsize=8)(self._make_drawn)

    def graph(self, model, batch_size):
        """What this translator does, with that model, as functions for a graph."""
        return SentenceGraph(
            model,
            self.source_tokenizer,
            self.target_tokenizer,
            self.settings,
            self.max_source_length,
            batch_size,
        )

    def __call__(self, texts, prefixes=None, batch_size=64, verbose=0):
        """Translate sentences of any number and length.

        Sentences of like length are translated together, the longest first; the
        answers come in the order of the questions.

        Args:
            texts: List, tuple or array of str.
            prefixes: What each translation begins with, as many str; "" for anything.
                A prefix ends where a piece ends, so best behind a whole word.
            batch_size: Sentences translated at once.
            verbose: 1 shows a progress bar.

        Returns:
            A list of str, one for each text; "" for one without any token.

        Raises:
            TypeError: If `texts` is a single str, or holds something else than str.
            ValueError: If a text has more than `max_source_length` tokens, or holds
                half a surrogate pair, which is no Unicode text; or a prefix leaves no
                room for a translation.
        """
        texts = require_texts(texts, "Translator")
        if prefixes is None:
            found = self._in_batches(texts, self._best, batch_size, verbose)
        else:
            prefix_ids = self._prefix_ids(texts, prefixes)
            found = self._in_batches(
                texts, self._best_after, batch_size, verbose, prefix_ids
            )
        return ["" if one is None else as_text(one["text"]) for one in found]

    def n_best(self, texts, n=None, batch_size=64, verbose=0):
        """Find several translations of each text.

        Args:
            texts: List, tuple or array of str.
            n: Translations of each, at most `beam_size`; None for that many.
            batch_size: Sentences translated at once.
            verbose: 1 shows a progress bar.

        Returns:
            For each text a list of `Translation`, best first; fewer than n where the
            search found no more, and none for a text without any token.

        Raises:
            TypeError, ValueError: As for a call; or n outside 1 to `beam_size`.
        """
        n = self.settings.beam_size if n is None else n
        require_n_best(n, self.settings.beam_size)
        several = self._several(n)
        texts = require_texts(texts, "Translator")
        found = self._in_batches(texts, several, batch_size, verbose)
        return [[] if one is None else translations(one) for one in found]

    def sample(
        self, texts, temperature=1.0, top_k=None, top_p=None, seed=0, batch_size=64
    ):
        """Draw a translation of each text at random; repeat a text to get several.

        Args:
            texts: List, tuple or array of str.
            temperature, top_k, top_p, seed: See `keras_attention.sample`.
            batch_size: Sentences translated at once.

        Returns:
            A list of str. The same seed, texts and batch size give the same again.

        Raises:
            TypeError, ValueError: As for a call, and for `keras_attention.sample`.
        """
        draw = self._drawn(temperature, top_k, top_p, seed)
        texts = require_texts(texts, "Translator")
        found = self._in_batches(texts, draw, batch_size)
        return ["" if one is None else as_text(one["text"]) for one in found]

    def score(self, texts, targets, batch_size=64, verbose=0):
        """Say how likely the model finds given translations.

        Args:
            texts: List, tuple or array of str.
            targets: As many str.
            batch_size: Sentences scored at once.
            verbose: 1 shows a progress bar.

        Returns:
            `Scores(log_probs (B,), scores (B,))`, NumPy, as a search gives them for
            the same tokens; the coverage penalty, which depends on the search's own
            steps, is left out.

        Raises:
            TypeError, ValueError: As for a call; or not as many targets as texts.
        """
        texts = require_texts(texts, "Translator")
        targets = require_texts(targets, "Translator")
        require_as_many("targets", targets, texts)
        target_ids = with_end(self.target_tokenizer.tokenize(targets))
        found = self._in_batches(texts, self._scored, batch_size, verbose, target_ids)
        nothing = {"log_probs": -np.inf, "scores": -np.inf}
        found = [nothing if one is None else one for one in found]
        return Scores(
            *(
                np.array([one[key] for one in found], "float32")
                for key in Scores._fields
            )
        )

    def align(self, texts, layer=None, head=None, batch_size=64):
        """Translate sentences, and say where each piece of a translation looks.

        Args:
            texts: List, tuple or array of str.
            layer: Which decoder layer's attention, from 0; None for the mean of all.
            head: Which head of it, from 0; None for the mean of all.
            batch_size: Sentences translated at once.

        Returns:
            An `Alignment` for each text; None for one without any token.

        Raises:
            TypeError, ValueError: As for a call; or there is no such layer or head, or
                no attention at all.
        """
        require_attention(self.model, "a question for an alignment")
        num_layers, num_heads = self.model.cross_attention_shape
        require_one_of("layer", layer, num_layers)
        require_one_of("head", head, num_heads)
        texts = require_texts(texts, "Translator")
        found = self._in_batches(texts, self._aligned, batch_size)
        return [None if one is None else alignment(one, layer, head) for one in found]

    def attention_maps(self, texts, batch_size=64):
        """Translate sentences, and show where every head of every layer looks.

        Args:
            texts: List, tuple or array of str.
            batch_size: Sentences translated at once.

        Returns:
            An `AttentionMaps` for each text; None for one without any token.

        Raises:
            TypeError, ValueError: As for a call; or the model has no attention.
        """
        require_attention(self.model, "a question for attention maps")
        texts = require_texts(texts, "Translator")
        found = self._in_batches(texts, self._looked, batch_size)
        return [None if one is None else attention_maps(one) for one in found]

    def get_config(self):
        """The settings, as the constructor takes them."""
        settings = dataclasses.asdict(self.settings)
        return {"max_source_length": self.max_source_length, **settings}

    def save(self, folder):
        """Write all that `load` needs into one folder, to go on with in Keras.

        What was saved there before is replaced, but only when the new one is whole.

        Raises:
            FileExistsError: If the folder holds other things than a translator.
        """
        with replaced_folder("Translator.save", folder, FILES) as aside:
            self.write(aside)

    def write(self, folder):
        """Write what `save` writes into a folder that may hold other things, too.

        Each file takes the place of an older one only when it is whole; the model, the
        only one that changes while a translator is trained, is the last.
        """
        folder = pathlib.Path(folder)
        settings = json.dumps({"format": FORMAT, **self.get_config()}, indent=2)
        writers = {
            SETTINGS_FILE: lambda path: path.write_text(settings + "\n"),
            SOURCE_FILE: self.source_tokenizer.save,
            TARGET_FILE: self.target_tokenizer.save,
            MODEL_FILE: self.model.save,
        }
        for name, write in writers.items():
            with replaced_file(folder / name) as aside:
                write(aside)

    @classmethod
    def load(cls, folder, **settings):
        """Read what `save` wrote.

        Args:
            folder: Where it is.
            **settings: What the constructor takes, instead of what was saved.

        Raises:
            FileNotFoundError: If there is no such folder, or a file in it is missing.
            ValueError: If a file in it can not be read.
        """
        folder = pathlib.Path(folder)
        require_whole(folder)
        settings = {**read_settings(folder / SETTINGS_FILE), **settings}
        try:
            model = keras.saving.load_model(folder / MODEL_FILE)
        except Exception as error:
            raise ValueError(
                f"Translator.load: got the folder {folder}, but its {MODEL_FILE} can "
                f"not be read ({type(error).__name__}: {error}). Save the translator "
                f"again."
            ) from error
        source_tokenizer = load_tokenizer(folder / SOURCE_FILE)
        target_tokenizer = load_tokenizer(folder / TARGET_FILE)
        return cls(model, source_tokenizer, target_tokenizer, **settings)

    def export(self, folder, dtype=None, batch_size=64, warm_up=()):
        """Write a SavedModel that takes sentences and returns sentences.

        It needs nothing of this package: `tensorflow` and `tensorflow_text` load it,
        and so does TensorFlow Serving. Its signatures take `text`, strings (B,):

        * `serving_default`: beam search, `text` (B,)
        * `greedy`: the most likely token at each step, `text` (B,)
        * `n_best`: `text`, `scores` and `log_probs` (B, beam_size), best first
        * `score`: takes also `target`, strings (B,); `scores` and `log_probs` (B,)
        * `attention`: `text` (B,), `source_pieces` (B, S), `target_pieces` (B, T), and
          `attention` (B, T, S), where each target piece looks; a model without
          attention has no such signature

        What was exported there before is replaced, but only when the new one is whole.

        Args:
            folder: For TensorFlow Serving the name of the model and a version number,
                such as "saved_models/en-de/1".
            dtype: "float32"; "bfloat16", faster and half as large, on processors that
                have it; "int8", a quarter, with weights of eight bits that are
                computed with in bfloat16. None for what the model computes in, or
                "float32" where that is float16.
            batch_size: Sentences that are translated at once, of those in a request.
            warm_up: Texts that TensorFlow Serving translates before it answers anyone,
                so that nobody waits for its first, slow, steps.

        Raises:
            FileExistsError: If the folder holds other things than a SavedModel.
            ImportError: If texts to warm up with are given, and tensorflow-serving-api
                is not installed.
            ValueError: For another dtype, or a batch size below 1.
        """
        dtype = format_of(self.model.compute_dtype) if dtype is None else dtype
        require_numeric_format(dtype)
        require_positive("Translator.export", batch_size=batch_size)
        with replaced_folder("Translator.export", folder, EXPORTED) as aside:
            graph = self.graph(freeze(self.model, dtype), batch_size)
            served = signatures(graph)
            tf.saved_model.save(Served(graph), str(aside), served)
            if warm_up:
                write_warm_up_requests(aside, warm_up, tuple(served))

    def _in_batches(self, texts, translate, batch_size, verbose=0, more=None):
        """Translate texts of like length together, and return results in order.

        Args:
            texts: List of bytes.
            translate: `(ids (A, S)) -> {name: tensor (A, ...)}`, or with `more`.
            batch_size: A, at most.
            verbose: 1 shows a progress bar.
            more: (B, ...), a tensor whose rows go along with the texts, or None.

        Returns:
            For each text {name: array (...)}, or None if it has no token.
        """
        require_positive("Translator", batch_size=batch_size)
        if not texts:
            return []
        pieces = self.source_tokenizer.tokenize(texts)  # (B, None), ragged
        lengths = pieces.row_lengths().numpy()
        require_short_enough(lengths + 1, self.max_source_length)
        longest_first = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
        progress = keras.utils.Progbar(len(longest_first), verbose=verbose)
        answers = [None] * len(texts)
        for first in range(0, len(longest_first), batch_size):
            rows = longest_first[first : first + batch_size]
            along = () if more is None else (tf.gather(more, rows),)
            found = translate(with_end(tf.gather(pieces, rows)), *along)
            found = {name: values.numpy() for name, values in found.items()}
            for place, row in enumerate(rows):
                answers[row] = {name: values[place] for name, values in found.items()}
            progress.add(len(rows))
        return answers

    def _prefix_ids(self, texts, prefixes):
        """Prefixes, as many as texts -> token ids (B, P), PAD behind each."""
        prefixes = require_texts(prefixes, "Translator")
        require_as_many("prefixes", prefixes, texts)
        if not texts:
            return None
        pieces = self.target_tokenizer.tokenize(prefixes)
        source_lengths = self.source_tokenizer.tokenize(texts).row_lengths() + 1
        room = self.settings.max_lengths(tf.cast(source_lengths, tf.int32)) - 1
        require_room_for_prefixes(pieces.row_lengths().numpy(), room.numpy())
        return pieces.to_tensor(0)

    @functools.cached_property
    def _best(self):
        return graph_function(lambda ids: {"text": self._graph.best_texts(ids)}, IDS)

    @functools.cached_property
    def _best_after(self):
        def translate(source_ids, prefix_ids):
            found = self._graph.search(source_ids, prefix_ids=prefix_ids)
            return {"text": self.target_tokenizer.detokenize(found.ids[:, 0])}

        return graph_function(translate, IDS, IDS)

    def _make_several(self, n):
        return graph_function(lambda ids: self._graph.n_best_texts(ids, n), IDS)

    def _make_drawn(self, temperature, top_k, top_p, seed):
        def draw(source_ids):
            start_ids, options = self._graph.options(source_ids)
            memory, _ = options.pop("memory"), options.pop("drop_done")
            found = sample(
                lambda *state: self.model.next_logits(*state, memory),
                start_ids,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                seed=seed,
                **options,
            )
            return {"text": self.target_tokenizer.detokenize(found)}

        return graph_function(draw, IDS)

    @functools.cached_property
    def _scored(self):
        return graph_function(self._graph.score_ids, IDS, IDS)

    @functools.cached_property
    def _aligned(self):
        return graph_function(self._graph.align_ids, IDS)

    @functools.cached_property
    def _looked(self):
        return graph_function(self._graph.look_ids, IDS)


class Served(tf.Module):
    """What a SavedModel's graphs capture: the tokenizers' resources, the weights.

    The weights are tracked as they are, and the Keras model only in the closure of
    the graphs: were it tracked, too, a graph would have two variables for each
    weight, and the loader of TensorFlow Serving would restore only one of them. The
    graphs are not tracked either, or each would be traced and written twice.
    """

    def __init__(self, graph):
        super().__init__()
        self.source_tokenizer = graph.source_tokenizer
        self.target_tokenizer = graph.target_tokenizer
        self.weights = graph.model.stored


def signatures(graph):
    """Each signature of a SavedModel by its name, traced."""
    functions = {
        "serving_default": graph_function(graph.translate, TEXT),
        "greedy": graph_function(graph.greedy, TEXT),
        "n_best": graph_function(graph.n_best, TEXT),
        "score": graph_function(graph.score, TEXT, TARGET),
    }
    if has_attention(graph.model):
        functions["attention"] = graph_function(graph.attention, TEXT)
    return {
        name: function.get_concrete_function() for name, function in functions.items()
    }


def translations(found):
    """What was found for one text -> a list of `Translation`."""
    return [
        Translation(as_text(text), float(score), float(log_prob))
        for text, score, log_prob in zip(
            found["text"], found["scores"], found["log_probs"]
        )
        if score > -np.inf
    ]


def alignment(found, layer, head):
    """What was found for one text -> an `Alignment`."""
    source, target = pieces_of(found)
    maps = found["maps"]  # (L, N, T, S)
    maps = maps.mean(axis=0) if layer is None else maps[layer]  # (N, T, S)
    weights = maps.mean(axis=0) if head is None else maps[head]  # (T, S)
    weights = weights[: len(target), : len(source)]
    return Alignment(as_text(found["text"]), source, target, weights)


def attention_maps(found):
    """What was found for one text -> its `AttentionMaps`."""
    source, target = pieces_of(found)
    lengths = {"source": len(source), "target": len(target), "written": len(target)}
    maps = {
        kind: found[kind][:, :, : lengths[looking], : lengths[looked_at]]
        for kind, (looking, looked_at) in KINDS.items()
        if kind in found
    }
    return AttentionMaps(source, target, **maps)


def pieces_of(found):
    """What was found for one text -> the pieces of source and target, no padding."""
    return [
        [as_text(piece) for piece in found[name] if piece]
        for name in ("source_pieces", "target_pieces")
    ]


def require_fitting(model, side, tokenizer):
    """Raise ValueError unless a tokenizer has as many pieces as the model has ids."""
    vocab_size = model.config[f"{side}_vocab_size"]
    if tokenizer.vocab_size != vocab_size:
        raise ValueError(
            f"Translator: got a {side}_tokenizer of {tokenizer.vocab_size} pieces and "
            f"a model with {side}_vocab_size={vocab_size}, but each id must mean the "
            f"same to both. Use the tokenizer that the model was trained with."
        )


def has_attention(model):
    """Whether a model looks at the source while it writes."""
    num_layers, _ = model.cross_attention_shape
    return num_layers > 0


def require_attention(model, wish):
    """Raise ValueError unless a model has the attention that a wish is about."""
    if not has_attention(model):
        raise ValueError(
            f"Translator: got {wish} and a model with attention=None, but that is "
            f"about what the model looks at, and it looks at nothing. Use a model with "
            f"attention, or leave it out."
        )


def require_in_vocabulary(settings, vocab_size):
    """Raise ValueError unless a vocabulary has as many tokens as a search needs."""
    if settings.beam_size > vocab_size:
        raise ValueError(
            f"Translator: got beam_size={settings.beam_size} for a vocabulary of "
            f"{vocab_size} tokens, but so many beginnings there are not. Use a "
            f"beam_size of at most {vocab_size}."
        )
    unknown = [token for token in settings.suppressed_tokens if token >= vocab_size]
    if unknown:
        raise ValueError(
            f"Translator: got suppressed_tokens={settings.suppressed_tokens}, but the "
            f"vocabulary ends with {vocab_size - 1}. Leave {unknown} out."
        )


def require_n_best(n, beam_size):
    """Raise ValueError unless a search can return n translations."""
    if not 1 <= n <= beam_size:
        raise ValueError(
            f"Translator: got n={n}, but a search that keeps beam_size={beam_size} "
            f"hypotheses is good for as many translations at most. Use an n from 1 to "
            f"{beam_size}, or a translator with a larger beam_size."
        )


def require_as_many(name, values, texts):
    """Raise ValueError unless there is a value for each text."""
    if len(values) != len(texts):
        raise ValueError(
            f"Translator: got {len(values)} {name} for {len(texts)} texts, but each "
            f"text needs its own. Give as many."
        )


def require_one_of(name, index, number):
    """Raise ValueError unless a layer or head of this number exists."""
    if index is not None and not 0 <= index < number:
        raise ValueError(
            f"Translator: got {name}={index}, but the model has {number}, counted from "
            f"0. Use a number from 0 to {number - 1}, or None for the mean of all."
        )


def require_room_for_prefixes(lengths, room):
    """Raise ValueError if a prefix and END have more tokens than a translation may."""
    if (lengths >= room).any():
        index = int((lengths >= room).argmax())
        raise ValueError(
            f"Translator: got a prefix of {lengths[index]} tokens at index {index}, "
            f"but with END its translation may have {room[index]} at most. Shorten the "
            f"prefix, or use a translator with a larger max_length."
        )


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
    missing = [name for name in FILES if not (folder / name).is_file()]
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
