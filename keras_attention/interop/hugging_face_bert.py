"""A folder of BERT's in Hugging Face's format -> a Bert and its tokenizer."""

import json
import pathlib

from keras_attention.interop.marian_weights import Part, TensorReader, layer_weights
from keras_attention.interop.tensor_file import find_tensor_file, read_tensors
from keras_attention.models.bert import Bert
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
# Tensors of what stands on top of the encoder, and of what is no weight.
LEFT_OUT = ("pooler.", "cls.", "embeddings.position_ids")


def load_bert(folder):
    """Read a BERT-family model without torch or transformers.

    Args:
        folder: With config.json, vocab.txt and model.safetensors (or pytorch_model.bin,
            where torch is installed).

    Returns:
        A `Bert` with the weights, and its `WordPieceTokenizer`. What stands on top of
        the encoder in the file (pooler, masked language model) is left out.

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
    folder = pathlib.Path(folder)
    config = read_config(folder)
    tokenizer = WordPieceTokenizer.load(
        folder / VOCABULARY_FILE, lowercase=is_uncased(folder)
    )
    require_fitting_vocabulary(folder, tokenizer, config)
    path = find_tensor_file(OWNER, folder)
    tensors = without_prefix(read_tensors(OWNER, path))
    bert = Bert(
        **{ours: config[theirs] for ours, theirs in SIZES.items()},
        dropout_rate=config["hidden_dropout_prob"],
    )
    read_weights(TensorReader(OWNER, path, tensors), bert)
    return bert, tokenizer


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


def is_uncased(folder):
    """Whether the tokenizer makes letters small."""
    path = folder / "tokenizer_config.json"
    if not path.exists():
        return True
    return json.loads(path.read_text(encoding="utf-8")).get("do_lower_case", True)


def without_prefix(tensors):
    """The encoder's tensors alone, by their names in a model without a head."""
    tensors = {name.removeprefix("bert."): array for name, array in tensors.items()}
    # TensorFlow's first models have other names of the same.
    renamed = {
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
            "LayerNorm.beta", "LayerNorm.bias"
        ): array
        for name, array in tensors.items()
    }
    return {
        name: array for name, array in renamed.items() if not name.startswith(LEFT_OUT)
    }


def read_weights(reader, bert):
    """Fill a Bert with the tensors of a file; change nothing if one is wrong."""
    new = [(layer, [reader.take(*named)]) for layer, named in tables(bert)]
    for layer, names in parts(bert):
        new.append((layer, layer_weights(reader, Part(layer, names))))
    reader.require_all_read()
    for layer, weights in new:
        layer.set_weights(weights)


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
