"""Sentences (B,) <-> token ids (B, T): learned by sentencepiece, run in the graph."""

import hashlib
import importlib
import io
import os
import pathlib
import re
from collections.abc import Iterable, Iterator

import tensorflow as tf
from google.protobuf import empty_pb2, message, unknown_fields

from keras_attention.files.replaced_file import replaced_file
from keras_attention.special_tokens import END, PAD, START, UNKNOWN
from keras_attention.text.corpus import read_lines

MODEL_TYPES = ("unigram", "bpe", "char", "word")
NORMALIZATIONS = ("nfkc", "nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf", "identity")
SPECIAL_PIECES = ["<pad>", "<unk>", "<s>", "</s>"]

# sentencepiece drops lines of more than 4,192 bytes without a word, and with a higher
# limit its unigram trainer takes time quadratic in the length: 13 s for 100,000
# characters. A character has at most 4 bytes, so no line of 1,000 is dropped.
MAX_TRAINING_LINE = 1000

# sentencepiece marks unknown characters by this one while it trains, and drops every
# line that holds it.
RESERVED_CHARACTER = "\u2585"

# Numbers of the fields of sentencepiece's ModelProto, in the order they are written:
# pieces, trainer_spec, normalizer_spec.
MODEL_FIELDS = {1, 2, 3}


class SubwordTokenizer(tf.Module):
    """Turn sentences into token ids and back, in Python as in a served graph.

    The tokenizer is a `tf.Module`: a `tf.Module` that holds it as an attribute saves
    it inside its SavedModel. All knowledge of the text sits in the sentencepiece model,
    Unicode normalization included, so training, Python and the graph agree. To train
    takes the sentencepiece package; to load and run takes tensorflow-text alone.

    Normalization "nfkc" gives composed and decomposed Hangul, accents, full-width
    letters, ligatures and compatibility Jamo the ids of their standard form. It maps
    each character of Unicode as `unicodedata.normalize("NFKC", ...)` does, composed or
    decomposed, but looks for sequences that it knows: a composed syllable followed by
    a conjoining final consonant (U+AC00 U+11A8 for U+AC01), and accents stacked in
    another order than Unicode's canonical one on a letter that has no composed form,
    stay as they are.

    Any string gets an answer. Runs of spaces count as one, and spaces at the ends as
    none; "▁" (U+2581) counts as a space. Characters not in the vocabulary and invalid
    UTF-8 become `UNKNOWN`, one for a whole run of them; or each byte that is invalid
    becomes U+FFFD, where that is in the vocabulary. With "nfkc", newline and tab
    are characters like any other; with "nmt_nfkc" they are spaces.

    Args:
        model_proto: Serialized sentencepiece model with `PAD`, `UNKNOWN`, `START` and
            `END` as its first four pieces.

    Attributes:
        model_proto: The same bytes.
        vocab_size: Number of pieces V, the special tokens included.

    Raises:
        ValueError: the bytes are no whole sentencepiece model, or other pieces come
            first.
        ImportError: tensorflow-text is not installed.

    Source:
        Kudo and Richardson, 2018, "SentencePiece". Departures: none.

    Example:
        >>> lines = ["a dog runs", "a dog sleeps", "a cat runs"]
        >>> tokenizer = SubwordTokenizer.train(lines, vocab_size=20, model_type="bpe")
        >>> ids = tokenizer.tokenize(["a dog", "a cat sleeps"])
        >>> ids.shape
        TensorShape([2, None])
        >>> tokenizer.detokenize(ids).numpy().tolist()
        [b'a dog', b'a cat sleeps']
    """

    def __init__(self, model_proto: bytes):
        super().__init__(name="subword_tokenizer")
        self.model_proto = model_proto
        self._tokenizer = load_sentencepiece(model_proto)
        self.vocab_size = int(self._tokenizer.vocab_size())
        self._require_special_pieces()

    @classmethod
    def train(
        cls,
        lines_or_files: Iterable[str | os.PathLike],
        vocab_size: int = 8000,
        model_type: str = "unigram",
        normalization: str = "nfkc",
        character_coverage: float = 1.0,
    ) -> "SubwordTokenizer":
        """Learn a vocabulary from sentences; the same ones always give the same.

        Every sentence is used, whatever its length. What cannot be learned: NUL and
        "▅" (U+2585), which sentencepiece keeps for itself; they become `UNKNOWN`.

        Args:
            lines_or_files: Sentences as str, or files as `pathlib.Path` with one
                sentence a line (UTF-8, gzipped if the name ends in `.gz`), or both.
            vocab_size: Number of pieces V, the four special tokens included, at
                least 5. Exact for "unigram" and "bpe". For "char" and "word" the most
                that there may be: a corpus with fewer gives all it has, and of one
                with more the most frequent are kept and the rest become `UNKNOWN`.
            model_type: "unigram" (the most probable pieces), "bpe" (merged pairs),
                "char" (one piece a character, none for the start of a sentence) or
                "word" (words between spaces).
            normalization: sentencepiece's rule: "nfkc"; "nmt_nfkc", which in addition
                turns newlines, tabs and zero-width characters into spaces; each with
                "_cf" to fold case; or "identity".
            character_coverage: Share of the characters of the corpus that get a piece,
                in [0.98, 1]; the rarest go first. Below 1 it spares thousands of
                pieces in scripts as large as the Chinese.

        Returns:
            The tokenizer.

        Raises:
            ValueError: no sentence has a character; the corpus cannot give exactly
                `vocab_size` pieces; an unknown name; a value out of its range.
            TypeError: `lines_or_files` is one str or one path, or an item is neither.
            ImportError: sentencepiece is not installed.
        """
        _require_training_options(
            vocab_size, model_type, normalization, character_coverage
        )
        sentences = list(_training_lines(lines_or_files))
        options = {
            "vocab_size": vocab_size,
            "model_type": model_type,
            "normalization_rule_name": normalization,
            "character_coverage": character_coverage,
            "add_dummy_prefix": model_type != "char",
            "hard_vocab_limit": model_type in ("unigram", "bpe"),
        }
        return cls(_train_model(sentences, options))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "SubwordTokenizer":
        """Read a tokenizer, or any sentencepiece model with our special tokens.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it holds no whole sentencepiece model, or other special tokens.
        """
        try:
            return cls(pathlib.Path(path).read_bytes())
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"SubwordTokenizer.load: got {path}, but there is no such file. Check "
                "the path, or train a tokenizer and save it there."
            ) from error
        except ValueError as error:
            raise ValueError(f"{error} The file is {path}.") from error

    def save(self, path: str | os.PathLike):
        """Write the model to a file; a failure leaves what was there before."""
        with replaced_file(path) as aside:
            aside.write_bytes(self.model_proto)

    def tokenize(self, strings) -> tf.RaggedTensor:
        """Sentences -> token ids, with no special tokens added.

        Args:
            strings: (B,), a list of str or bytes, a NumPy array or a string tensor.

        Returns:
            Ragged (B, None), int32. An empty sentence has no tokens.

        Raises:
            TypeError: `strings` is one string, or holds other things than strings.
            ValueError: `strings` has another shape.
        """
        return self._tokenizer.tokenize(_string_vector(strings))

    def detokenize(self, ids) -> tf.Tensor:
        """Token ids -> sentences; what follows the first `END` is ignored.

        Args:
            ids: (B, T), integers: a dense or ragged tensor, an array or a list of
                lists. `PAD` and `START` vanish, `UNKNOWN` becomes " ⁇ ".

        Returns:
            (B,), tf.string, in UTF-8.

        Raises:
            TypeError: the ids are no integers.
            ValueError: the ids have another shape, or one is outside the vocabulary.
                In a graph the latter is a `tf.errors.InvalidArgumentError` when it
                runs.
        """
        ids = _id_matrix(ids)
        ended = tf.cumsum(tf.cast(ids == END, tf.int32), axis=1) > 0
        is_text = ~ended & (ids != PAD) & (ids != START)
        kept = tf.ragged.boolean_mask(ids, is_text)  # (B, None)
        with tf.control_dependencies(self._require_known(kept.flat_values)):
            kept = tf.cast(kept, tf.int32)
        return self._tokenizer.detokenize(kept)

    def id_to_piece(self, id: int) -> str:
        """The piece of text behind one id; "▁" in it stands for a space.

        Raises:
            ValueError: the id is outside the vocabulary.
        """
        self._require_known(tf.constant([id], tf.int64))
        return self._tokenizer.id_to_string([id])[0].numpy().decode("utf-8")

    def ids_to_pieces(self, ids) -> tf.Tensor:
        """The piece of text behind each id, in a graph too.

        Args:
            ids: (B, T), integers; "" stands for `PAD` and `START`.

        Returns:
            (B, T), tf.string; "▁" stands for a space, and "</s>" for `END`.
        """
        ids = tf.cast(ids, tf.int32)
        pieces = self._tokenizer.id_to_string(tf.reshape(ids, (-1,)))
        silent = (ids == PAD) | (ids == START)
        return tf.where(silent, "", tf.reshape(pieces, tf.shape(ids)))

    def pieces(self, sentence: str) -> list[str]:
        """The pieces of one sentence, for a plot or a look: one for each token."""
        return [self.id_to_piece(id) for id in self.tokenize([sentence])[0].numpy()]

    def _require_special_pieces(self):
        first = [self.id_to_piece(id) for id in range(min(4, self.vocab_size))]
        if first != SPECIAL_PIECES:
            raise ValueError(
                f"SubwordTokenizer: got a model whose first pieces are {first}, but "
                f"they must be {SPECIAL_PIECES}, so that PAD={PAD}, UNKNOWN={UNKNOWN}, "
                f"START={START} and END={END}. Train it anew with pad_id={PAD}, "
                f"unk_id={UNKNOWN}, bos_id={START} and eos_id={END}."
            )

    def _require_known(self, ids) -> list:
        """Refuse ids (n,) outside the vocabulary: tensorflow-text may crash on them,
        and its OutOfRangeError would end a `tf.data` pipeline as if it were finished.
        """
        outside = tf.boolean_mask(ids, (ids < 0) | (ids >= self.vocab_size))
        need = f"but the ids of this vocabulary go from 0 to {self.vocab_size - 1}."
        if not tf.executing_eagerly():
            got = ["SubwordTokenizer: got ids", outside, need]
            return [tf.debugging.Assert(tf.size(outside) == 0, got, summarize=5)]
        if tf.size(outside) > 0:
            raise ValueError(
                f"SubwordTokenizer: got ids {outside[:5].numpy().tolist()}, {need} "
                "Check that the ids come from this tokenizer."
            )
        return []


def _import(name: str, package: str, purpose: str):
    """Import a module, or say which package to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"SubwordTokenizer: got no {package}, but needs it to {purpose}. "
            f"Run: pip install {package}"
        ) from error


class _ModelResource(tf.saved_model.experimental.TrackableResource):
    """The parsed model, kept by TensorFlow under the hash of its bytes.

    tensorflow-text 2.21 leaves it without a name of its own, and then it is gone after
    `keras.utils.set_random_seed` or `clear_session`, which empty the cache of kernels
    (tensorflow/text issue 570).
    """

    def __init__(self, model_proto: bytes, create):
        super().__init__()
        self._model_proto = model_proto
        self._create = create
        self._resource_handle = self._create_resource()

    def _create_resource(self):
        name = "sentencepiece_" + hashlib.sha256(self._model_proto).hexdigest()
        return self._create(model=self._model_proto, shared_name=name)


def load_sentencepiece(model_proto: bytes):
    """Serialized model -> tensorflow-text's tokenizer; refuse all but a whole model."""
    tensorflow_text = _import("tensorflow_text", "tensorflow-text", "run")
    try:
        # A model cut off between two fields is a valid one to sentencepiece: it would
        # run with fewer pieces or without normalization.
        proto = empty_pb2.Empty.FromString(model_proto)
        found = {field.field_number for field in unknown_fields.UnknownFieldSet(proto)}
        if not found >= MODEL_FIELDS:
            raise ValueError(f"fields {sorted(found)} and not {sorted(MODEL_FIELDS)}")
        tokenizer = tensorflow_text.SentencepieceTokenizer(
            model_proto, out_type=tf.int32
        )
    except (ValueError, TypeError, message.DecodeError, tf.errors.OpError) as error:
        raise ValueError(
            f"SubwordTokenizer: got a {type(model_proto).__name__} of "
            f"{len(model_proto)} bytes as model_proto, but it must be a whole "
            f"sentencepiece model ({error}). Check that the file was not cut off."
        ) from error
    ops = importlib.import_module("tensorflow_text.python.ops.sentencepiece_tokenizer")
    create = ops.gen_sentencepiece_tokenizer.sentencepiece_op
    tokenizer._model_resource = _ModelResource(model_proto, create)
    return tokenizer


def _require_training_options(
    vocab_size, model_type, normalization, character_coverage
):
    if model_type not in MODEL_TYPES:
        raise ValueError(
            f"SubwordTokenizer.train: got model_type={model_type!r}, but the kinds are "
            f"{', '.join(MODEL_TYPES)}. Choose one of them."
        )
    if normalization not in NORMALIZATIONS:
        raise ValueError(
            f"SubwordTokenizer.train: got normalization={normalization!r}, but the "
            f"rules are {', '.join(NORMALIZATIONS)}. Choose one of them."
        )
    if vocab_size <= len(SPECIAL_PIECES):
        raise ValueError(
            f"SubwordTokenizer.train: got vocab_size={vocab_size}, but the special "
            f"tokens take {len(SPECIAL_PIECES)} and text at least 1. Use 5 or more."
        )
    if not 0.98 <= character_coverage <= 1:
        raise ValueError(
            f"SubwordTokenizer.train: got character_coverage={character_coverage}, but "
            "sentencepiece needs a share in [0.98, 1]. Use 1 for alphabets."
        )


def _training_lines(lines_or_files) -> Iterator[bytes]:
    """Sentences and files of them -> UTF-8 lines that sentencepiece will not drop."""
    if isinstance(lines_or_files, (str, bytes, os.PathLike)):
        raise TypeError(
            f"SubwordTokenizer.train: got {str(lines_or_files)[:80]!r}, but needs an "
            "iterable of sentences (str) or of files (pathlib.Path). Put it in a list."
        )
    for item in lines_or_files:
        for sentence in read_lines(item) if isinstance(item, os.PathLike) else [item]:
            yield from _encode_sentence(sentence)


def _encode_sentence(sentence: str) -> Iterator[bytes]:
    if not isinstance(sentence, str):
        raise TypeError(
            f"SubwordTokenizer.train: got an item of type {type(sentence).__name__}, "
            "but a sentence is a str and a file a pathlib.Path. Convert it."
        )
    for line in _cut(sentence.replace(RESERVED_CHARACTER, " ")):
        try:
            yield line.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"SubwordTokenizer.train: got {sentence[:80]!r}, but half a surrogate "
                "pair is no character and has no UTF-8. Remove it."
            ) from error


def _cut(sentence: str) -> Iterator[str]:
    """Cut before a space where there is one: pieces never reach across words."""
    start = 0
    while len(sentence) - start > MAX_TRAINING_LINE:
        space = sentence.rfind(" ", start + 1, start + MAX_TRAINING_LINE)
        end = space if space > 0 else start + MAX_TRAINING_LINE
        yield sentence[start:end]
        start = end
    yield sentence[start:]


def _train_model(sentences: list[bytes], options: dict) -> bytes:
    """Lines -> serialized sentencepiece model."""
    sentencepiece = _import("sentencepiece", "sentencepiece", "train")
    writer = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=writer,
            pad_id=PAD,
            unk_id=UNKNOWN,
            bos_id=START,
            eos_id=END,
            minloglevel=2,
            **options,
        )
    except RuntimeError as error:
        _explain_failure(str(error), len(sentences), **options)
        raise
    return writer.getvalue()


def _explain_failure(reason, num_lines, vocab_size, model_type, **_):
    """Raise sentencepiece's complaint anew if it is about the caller's corpus."""
    if re.search(r"sentences_\.empty|all_chars_count", reason):
        raise ValueError(
            f"SubwordTokenizer.train: got {num_lines} lines without a character to "
            "learn, but a vocabulary is made of them. Check what was read."
        )
    if smallest := re.search(r"smaller than required_chars\. \d+ vs (\d+)", reason):
        raise ValueError(
            f"SubwordTokenizer.train: got vocab_size={vocab_size}, but for this corpus "
            f"{model_type} needs at least {smallest[1]}: one for each character and 4 "
            f"for special tokens. Raise vocab_size to {smallest[1]} or more, or lower "
            "character_coverage."
        )
    if largest := re.search(r"too high .* <= (\d+)", reason):
        raise ValueError(
            f"SubwordTokenizer.train: got vocab_size={vocab_size}, but of this corpus "
            f"{model_type} can make at most {largest[1]} pieces. Lower vocab_size to "
            f"{largest[1]} or less, or use more text."
        )


def _string_vector(strings) -> tf.Tensor:
    """Strings of any kind -> (B,), tf.string."""
    if isinstance(strings, (str, bytes)):
        raise TypeError(
            f"SubwordTokenizer.tokenize: got one string, {strings[:80]!r}, but needs "
            "a batch of them. Put it in a list."
        )
    try:
        strings = tf.convert_to_tensor(strings, tf.string)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"SubwordTokenizer.tokenize: got a {type(strings).__name__}, but needs a "
            f"list or an array of strings ({error}). Convert it."
        ) from error
    if strings.shape.rank != 1:
        raise ValueError(
            f"SubwordTokenizer.tokenize: got shape {strings.shape}, but needs (B,): "
            "one string a sentence. Reshape it."
        )
    return strings


def _id_matrix(ids) -> tf.Tensor:
    """Ids, dense, ragged or nested lists -> dense (B, T), filled up with PAD."""
    if isinstance(ids, (list, tuple)):
        dtype = None if any(map(len, ids)) else tf.int64  # No id has no dtype.
        ids = tf.ragged.constant(ids, ragged_rank=1, dtype=dtype)
    if isinstance(ids, tf.RaggedTensor):
        ids = ids.to_tensor(PAD)
    ids = tf.convert_to_tensor(ids)
    if not ids.dtype.is_integer:
        raise TypeError(
            f"SubwordTokenizer.detokenize: got {ids.dtype.name}, but ids are integers. "
            "Cast them."
        )
    if ids.shape.rank != 2:
        raise ValueError(
            f"SubwordTokenizer.detokenize: got shape {ids.shape}, but needs (B, T): a "
            "row of ids for each sentence. Reshape it."
        )
    return tf.cast(ids, tf.int64)
