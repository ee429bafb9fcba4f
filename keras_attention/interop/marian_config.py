"""config.json, generation_config.json <-> settings of the model and of the search."""

import json

from keras_attention.interop.marian_vocabulary import END_PIECE, START_PIECE
from keras_attention.special_tokens import PAD, START

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"

# Names of activations there, and in Keras.
ACTIVATIONS = {"swish": "silu", "silu": "silu", "relu": "relu", "gelu": "gelu"}

# What a Transformer has one number for.
ONE_NUMBER = {
    "decoder_attention_heads": "encoder_attention_heads",
    "decoder_ffn_dim": "encoder_ffn_dim",
    "decoder_start_token_id": "pad_token_id",
}

# What neither transformers' MarianMTModel nor a Transformer with the norm last does.
UNKNOWN_STEPS = ("normalize_before", "normalize_embedding", "add_final_layer_norm")

SIZES = ("vocab_size", "d_model", "encoder_layers", "decoder_layers")


def read_json(owner, path):
    """Read a file of settings.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no settings.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{owner}: got the folder {path.parent}, but it has no {path.name}. "
            f"Download the whole model."
        )
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{owner}: got the file {path}, but it can not be read "
            f"({type(error).__name__}: {error}). Download it again."
        ) from error


class MarianConfig:
    """A config.json that a Transformer can be made of.

    Args:
        owner: Who reads, for the error messages.
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another architecture's, or asks for what a Transformer does
            not do, or a size is missing.
    """

    def __init__(self, owner, path):
        self.owner, self.path = owner, path
        self.values = read_json(owner, path)
        self.require("model_type", self.values.get("model_type") == "marian", "marian")
        for name in (*SIZES, "pad_token_id", "eos_token_id", *ONE_NUMBER.values()):
            self.require(name, type(self.values.get(name)) is int, "a whole number")
        for name, other in ONE_NUMBER.items():
            number = self.values[other]
            self.require(name, self.values.get(name) == number, f"{number}, as {other}")
        for name in UNKNOWN_STEPS:
            self.require(name, not self.values.get(name), "false")
        activation = self.values.get("activation_function", "gelu")
        known = f"one of {', '.join(ACTIVATIONS)}"
        self.require("activation_function", activation in ACTIVATIONS, known)

    def require(self, name, fulfilled, needed):
        """Raise ValueError unless a setting is what it has to be."""
        if not fulfilled:
            raise ValueError(
                f"{self.owner}: got the file {self.path} with {name}="
                f"{self.values.get(name)!r}, but a Marian model that can be taken in "
                f"has {needed} there. See docs/marian.md for what is taken in."
            )

    @property
    def shared(self):
        """One matrix for source, target and output."""
        return self.values.get("share_encoder_decoder_embeddings", True)

    @property
    def max_positions(self):
        """Longest sentence in tokens that it was made for."""
        return self.values.get("max_position_embeddings", 1024)

    def require_fitting(self, path, vocabulary, name):
        """Raise ValueError unless a vocabulary has the ids that the settings name."""
        values = self.values
        size = values.get(name) or values["vocab_size"]
        found = {
            name: (len(vocabulary.pieces), size),
            "eos_token_id": (vocabulary.id_of(END_PIECE), values["eos_token_id"]),
            "pad_token_id": (vocabulary.id_of(START_PIECE), values["pad_token_id"]),
        }
        for setting, (there, here) in found.items():
            if there != here:
                raise ValueError(
                    f"{self.owner}: got the file {path}, of which {setting} would be "
                    f"{there}, but {self.path} says {here}. Download both again; they "
                    f"must belong to the same model."
                )

    def transformer_settings(self, source_size, target_size):
        """What `Transformer` is made with, for so many tokens of ours."""
        values = self.values
        return {
            "source_vocab_size": source_size,
            "target_vocab_size": target_size,
            "num_layers": values["encoder_layers"],
            "num_decoder_layers": values["decoder_layers"],
            "d_model": values["d_model"],
            "num_heads": values["encoder_attention_heads"],
            "d_ff": values["encoder_ffn_dim"],
            "dropout_rate": values.get("dropout", 0.1),
            "activation": ACTIVATIONS[values.get("activation_function", "gelu")],
            "share_embeddings": self.shared,
            "scale_embeddings": values.get("scale_embedding", False),
            "interleaved_positions": False,
            "use_bias": True,
            "output_bias": True,
        }


def read_generation(owner, folder, config):
    """How the model is to be searched: generation_config.json, or config.json."""
    path = folder / GENERATION_FILE
    values = read_json(owner, path) if path.is_file() else dict(config.values)
    words = values.get("bad_words_ids") or []
    problem = None
    if any(len(word) != 1 for word in words):
        problem = "bad_words_ids", words, "lists of one token each"
    if values.get("early_stopping") not in (None, False, "never"):
        problem = "early_stopping", values["early_stopping"], "false or never"
    if problem:
        name, got, needed = problem
        raise ValueError(
            f"{owner}: got the file {path} with {name}={got!r}, but a search here "
            f"knows only {needed}. Change it there; the weights do not depend on it."
        )
    return values


def search_settings(values, vocabulary, max_positions):
    """The settings of a search as transformers would do it.

    Args:
        values: What `read_generation` gave.
        vocabulary: `MarianVocabulary` of the target.
        max_positions: Tokens of a translation where nothing else is said.

    Returns:
        What `SearchSettings` takes, and the tokens that take no probability away.
    """

    def value(name, default):
        return default if values.get(name) is None else values[name]

    words = [vocabulary.our_id(word[0]) for word in value("bad_words_ids", [])]
    suppressed = (START, *(word for word in words if word != START))
    renormalized = value("renormalize_logits", False)
    settings = {
        "beam_size": value("num_beams", 1),
        "length_penalty": value("length_penalty", 1.0),
        "length_offset": 0.0,
        "complete": value("early_stopping", False) == "never",
        "max_length": value("max_length", max_positions) - 1,  # without START
        "no_repeat_ngram_size": value("no_repeat_ngram_size", 0),
        "repetition_penalty": value("repetition_penalty", 1.0),
        "suppressed_tokens": () if renormalized else suppressed,
        "renormalize": renormalized,
    }
    return settings, (PAD, *suppressed) if renormalized else (PAD,)


def marian_config(model, vocab_size, max_positions):
    """The config.json of a Transformer whose vocabularies have V tokens there."""
    config = model.config
    names = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
    return {
        "architectures": ["MarianMTModel"],
        "model_type": "marian",
        "is_encoder_decoder": True,
        "vocab_size": vocab_size,
        "decoder_vocab_size": vocab_size,
        "share_encoder_decoder_embeddings": config["share_embeddings"],
        "tie_word_embeddings": True,
        "d_model": config["d_model"],
        "encoder_layers": config["num_layers"],
        "decoder_layers": config["num_decoder_layers"] or config["num_layers"],
        "num_hidden_layers": config["num_layers"],
        "encoder_attention_heads": config["num_heads"],
        "decoder_attention_heads": config["num_heads"],
        "encoder_ffn_dim": config["d_ff"],
        "decoder_ffn_dim": config["d_ff"],
        "activation_function": names[config["activation"]],
        "dropout": config["dropout_rate"],
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "max_position_embeddings": max_positions,
        "static_position_embeddings": True,
        "scale_embedding": config["scale_embeddings"],
        **dict.fromkeys(UNKNOWN_STEPS, False),
        **token_ids(vocab_size),
        "dtype": "float32",
    }


def generation_config(settings, model, vocabulary, max_positions):
    """The generation_config.json of a search, as far as it can be said there."""
    forbidden = model.config["forbidden_tokens"]
    words = {START, *forbidden, *settings.suppressed_tokens} - {PAD}
    whole = isinstance(settings.max_length, int)
    penalty = settings.length_penalty if settings.length_offset == 0 else 1.0
    return {
        **token_ids(len(vocabulary.pieces)),
        "bad_words_ids": [[int(vocabulary.order[word - 1])] for word in sorted(words)],
        "renormalize_logits": START in forbidden,
        "num_beams": settings.beam_size,
        "length_penalty": penalty if settings.length_penalty else 0.0,
        "early_stopping": "never" if settings.complete else False,
        "max_length": settings.max_length + 1 if whole else max_positions,
        "no_repeat_ngram_size": settings.no_repeat_ngram_size,
        "repetition_penalty": settings.repetition_penalty,
    }


def unsaid_settings(settings, model):
    """Names of the search's settings that a generation_config.json has no words for."""
    renormalized = START in model.config["forbidden_tokens"]
    constrained = settings.no_repeat_ngram_size or settings.repetition_penalty != 1
    unsaid = {
        "length_offset": settings.length_penalty and settings.length_offset,
        "complete": settings.complete,
        "coverage_penalty": settings.coverage_penalty,
        "max_length": not isinstance(settings.max_length, int),
        "min_length": settings.min_length,
        "suppressed_tokens": renormalized and settings.suppressed_tokens,
        "renormalize": constrained and settings.renormalize != renormalized,
    }
    return [name for name, is_unsaid in unsaid.items() if is_unsaid]


def token_ids(vocab_size):
    return {
        "eos_token_id": 0,
        "forced_eos_token_id": 0,
        "bos_token_id": 0,
        "pad_token_id": vocab_size - 1,
        "decoder_start_token_id": vocab_size - 1,
    }
