"""A folder of BERT's in Hugging Face's format -> a Bert, or one with a head."""

import dataclasses
import json
import pathlib

from keras_attention.interop.marian_weights import Part, TensorReader, layer_weights
from keras_attention.interop.tensor_file import find_tensor_file, read_tensors
from keras_attention.models.bert import Bert
from keras_attention.models.bert_classifier import BertClassifier
from keras_attention.models.bert_pretraining import BertPretraining
from keras_attention.models.bert_tagger import BertTagger
from keras_attention.text.wordpiece import WordPieceTokenizer

OWNER = "load_bert"
CONFIG_FILE = "config.json"
VOCABULARY_FILE = "vocab.txt"

# Our names of the sizes, by those in config.json.
SIZES = {
    "vocab_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "d_model": "hidden_size",
    "num_heads": "num_attention_heads",
    "d_ff": "intermediate_size",
    "max_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
}
# What must be so, as it is here.
EXPECTED = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
}
# What transformers calls two classes that nobody named, and does not write down.
UNNAMED = {"0": "LABEL_0", "1": "LABEL_1"}
# Tensors of what stands on top of the encoder, and of what is no weight.
ON_TOP = ("pooler.", "cls.", "classifier.", "embeddings.position_ids")
WORDS = "embeddings.word_embeddings.weight"


def load_bert(folder):
    """Read a BERT-family model without torch or transformers.

    Args:
        folder: With config.json, vocab.txt and model.safetensors (or pytorch_model.bin,
            where torch is installed).

    Returns:
        A `Bert` with the weights, and its `WordPieceTokenizer`. What stands on top of
        the encoder in the file is left out; the functions beside this one read it.

    Raises:
        FileNotFoundError: A file is missing.
        ImportError: safetensors, or torch, is needed and not installed.
        ValueError: The model is of another architecture; a tensor is missing, has
            another shape or no place here; or the vocabulary does not fit.

    Example:

        bert, tokenizer = load_bert("all-MiniLM-L6-v2")
        encoder = SentenceEncoder(bert, tokenizer)
        encoder(["A dog runs."]).shape  # (1, 384)
    """
    folder = Folder.read(folder)
    return folder.fill(folder.bert), folder.tokenizer


def load_bert_pretraining(folder):
    """Read a BERT-family model with its head for masked tokens.

    Args:
        folder: See `load_bert`.

    Returns:
        A `BertPretraining` with the weights, and its `WordPieceTokenizer`. It has the
        head for the next sentence if the file has.

    Raises:
        OSError, ImportError: As `load_bert`.
        ValueError: As `load_bert`; or there is no head for masked tokens.

    Example:

        pretraining, tokenizer = load_bert_pretraining("bert-base-uncased")
    """
    folder = Folder.read(folder)
    model = BertPretraining(folder.bert, folder.has("cls.seq_relationship."))
    heads = [pooler, next_head] if model.next_sentence else []
    return folder.fill(model, token_head, *heads), folder.tokenizer


def load_bert_classifier(folder, classes=None):
    """Read a BERT-family model to classify texts with, or to learn it.

    Args:
        folder: See `load_bert`.
        classes: Names of the classes that are to be learned: the head on top is new,
            and the pooler under it the file's, if there is one. None: both are the
            file's, of a model that was fine-tuned, with the names in config.json.

    Returns:
        A `BertClassifier` and its `WordPieceTokenizer`.

    Raises:
        OSError, ImportError: As `load_bert`.
        ValueError: As `load_bert`; or `classes` is None and the file has no head.

    Example:

        model, tokenizer = load_bert_classifier("bert-base-uncased", ["good", "bad"])
    """
    folder = Folder.read(folder)
    if classes is None:
        model = BertClassifier(folder.bert, folder.names())
        heads = [pooler, class_head]
    else:
        model = BertClassifier(folder.bert, classes)
        heads = [pooler] if folder.has("pooler.") else []
    return folder.fill(model, *heads), folder.tokenizer


def load_bert_tagger(folder, labels=None):
    """Read a BERT-family model to label words with, or to learn it.

    Args:
        folder: See `load_bert`.
        labels: Names of the labels that are to be learned, by a new head. None: the
            head is the file's, of a model that was fine-tuned.

    Returns:
        A `BertTagger` and its `WordPieceTokenizer`.

    Raises:
        OSError, ImportError: As `load_bert`.
        ValueError: As `load_bert`; or `labels` is None and the file has no head.

    Example:

        model, tokenizer = load_bert_tagger("bert-base-uncased", ["noun", "other"])
    """
    folder = Folder.read(folder)
    if labels is None:
        model, heads = BertTagger(folder.bert, folder.names()), [label_head]
    else:
        model, heads = BertTagger(folder.bert, labels), []
    return folder.fill(model, *heads), folder.tokenizer


@dataclasses.dataclass(frozen=True)
class Folder:
    """What is in a folder of a model, and a `Bert` of its sizes to be filled."""

    config: dict
    tokenizer: WordPieceTokenizer
    path: pathlib.Path  # of the tensors
    tensors: dict
    bert: Bert

    @classmethod
    def read(cls, folder):
        """Read all of it; raise unless it fits together."""
        folder = pathlib.Path(folder)
        config = read_config(folder)
        tokenizer = WordPieceTokenizer.load(
            folder / VOCABULARY_FILE, **letter_settings(folder)
        )
        require_fitting_vocabulary(folder, tokenizer, config)
        path = find_tensor_file(OWNER, folder)
        tensors = plain_names(read_tensors(OWNER, path))
        bert = Bert(
            **{ours: config[theirs] for ours, theirs in SIZES.items()},
            dropout_rate=config["hidden_dropout_prob"],
        )
        return cls(config, tokenizer, path, tensors, bert)

    def has(self, prefix):
        """Whether there are tensors of this name."""
        return any(name.startswith(prefix) for name in self.tensors)

    def names(self):
        """Of the classes or labels, in the order of their ids."""
        names = self.config.get("id2label", UNNAMED)
        return [names[id] for id in sorted(names, key=int)]

    def fill(self, model, *heads):
        """Give the model its weights; change nothing if a tensor is wrong."""
        reader = TensorReader(OWNER, self.path, self.tensors)
        new = encoder(reader, self.bert)
        for head in heads:
            new += head(reader, model)
        reader.unread = {name for name in reader.unread if not name.startswith(ON_TOP)}
        reader.require_all_read()
        for layer, weights in new:
            layer.set_weights(weights)
        return model


def read_config(folder):
    """config.json, of an architecture that is here."""
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{OWNER}: got the folder {folder}, but it has no {CONFIG_FILE}. Download "
            f"the whole model."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{OWNER}: got {path}, but it is no JSON ({error}). Download it again."
        ) from error
    missing = [name for name in SIZES.values() if name not in config]
    if missing:
        raise ValueError(
            f"{OWNER}: got {path} without {', '.join(missing)}, but the sizes of the "
            f"model are needed. Download it again."
        )
    for name, expected in EXPECTED.items():
        found = config.get(name, expected)
        if found != expected:
            raise ValueError(
                f"{OWNER}: got {path} with {name}={found!r}, but only {expected!r} can "
                f"be taken in. Give a BERT model."
            )
    return {"hidden_dropout_prob": 0.1, **config}


def letter_settings(folder):
    """What the tokenizer makes of letters: small ones, and without accents."""
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {
        "lowercase": config.get("do_lower_case", True),
        "strip_accents": config.get("strip_accents"),
    }


def plain_names(tensors):
    """The tensors by the names that the encoder's have in a model without a head."""
    tensors = {name.removeprefix("bert."): array for name, array in tensors.items()}
    # TensorFlow's first models have other names of the same.
    return {
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
            "LayerNorm.beta", "LayerNorm.bias"
        ): array
        for name, array in tensors.items()
    }


def encoder(reader, bert):
    """The layers of a Bert and the weights that each is to get."""
    new = [(layer, [reader.take(*named)]) for layer, named in tables(bert)]
    return new + [side_by_side(reader, layer, names) for layer, names in parts(bert)]


def token_head(reader, model):
    """As `encoder`, of what tells hidden tokens; its matrix is the embedding's."""
    there, vocab_size = "cls.predictions", model.bert.config["vocab_size"]
    matrix = (WORDS, f"{there}.decoder.weight")
    reader.take_tied(matrix, (vocab_size, model.bert.config["d_model"]))
    bias = (f"{there}.bias", f"{there}.decoder.bias")
    return [
        side_by_side(reader, model.token_transform, [f"{there}.transform.dense"]),
        side_by_side(reader, model.token_norm, [f"{there}.transform.LayerNorm"]),
        (model.token_bias, [reader.take_tied(bias, (vocab_size,))]),
    ]


def pooler(reader, model):
    return [side_by_side(reader, model.pooler, ["pooler.dense"])]


def next_head(reader, model):
    return [side_by_side(reader, model.next_output, ["cls.seq_relationship"])]


def class_head(reader, model):
    return [side_by_side(reader, model.class_output, ["classifier"])]


def label_head(reader, model):
    return [side_by_side(reader, model.label_output, ["classifier"])]


def side_by_side(reader, layer, names):
    """A layer, and the weights of the modules that stand in it side by side."""
    return layer, layer_weights(reader, Part(layer, names))


def tables(bert):
    """Each layer that looks vectors up, with the name and shape of its tensor."""
    config, d_model = bert.config, bert.config["d_model"]
    for layer, name, rows in (
        (bert.embedding, "word", config["vocab_size"]),
        (bert.position, "position", config["max_length"]),
        (bert.segment, "token_type", config["num_segments"]),
    ):
        yield layer, (f"embeddings.{name}_embeddings.weight", (rows, d_model))


def parts(bert):
    """Every other layer with weights, and the modules that stand in it side by side."""
    yield bert.embedding_norm, ["embeddings.LayerNorm"]
    for index, layer in enumerate(bert.encoder_layers):
        there = f"encoder.layer.{index}"
        query_key_value = [
            f"{there}.attention.self.{name}" for name in ("query", "key", "value")
        ]
        yield layer.attention.query_key_value, query_key_value
        yield layer.attention.output_projection, [f"{there}.attention.output.dense"]
        yield layer.attention_residual.norm, [f"{there}.attention.output.LayerNorm"]
        yield layer.feed_forward.widen, [f"{there}.intermediate.dense"]
        yield layer.feed_forward.narrow, [f"{there}.output.dense"]
        yield layer.feed_forward_residual.norm, [f"{there}.output.LayerNorm"]


def require_fitting_vocabulary(folder, tokenizer, config):
    """Raise ValueError if there are pieces without a vector.

    There may be vectors without a piece, as some models have their number rounded up.
    """
    if tokenizer.vocab_size > config["vocab_size"]:
        raise ValueError(
            f"{OWNER}: got {tokenizer.vocab_size} pieces in "
            f"{folder / VOCABULARY_FILE} and vocab_size={config['vocab_size']} in "
            f"{CONFIG_FILE}, but each piece needs a vector. Download both again; they "
            f"must belong to the same model."
        )
