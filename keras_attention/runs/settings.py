"""What a training is told, in one record: checked, documented, and repeatable."""

# Nothing but the standard library is imported here: the command line reads this file to
# know its own options, and must not wait for Keras.
import dataclasses

SECTIONS = ("data", "text", "model", "training", "decoding")


def setting(section, default, help, least=None, below=None, choices=None):
    """A field, with what it means and which values it may have.

    Args:
        section: Where it is found in a file.
        default: Its value where nothing is said; None where that depends.
        help: What it is, with its unit.
        least: The lowest value; None for no limit.
        below: What it must be lower than; None for no limit.
        choices: All values there are; None for no limit.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "section": section,
            "help": help,
            "least": least,
            "below": below,
            "choices": choices,
        },
    )


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """All that a training of a translator depends on, but for the version of this.

    Each attribute is also an option of `keras-attention train`, whose help lists them,
    and a line of its settings file. None lets the training choose, by the machine or by
    the preset; `train_translator` then writes what it chose.

    Raises:
        TypeError: A value is of another kind than the setting.
        ValueError: A value is out of its range; or `source` is missing.

    Example:

    >>> settings = TrainingSettings("train.en", "train.de", epochs=30)
    >>> settings.batch_tokens
    4096
    """

    source: str = setting(
        "data", "", "sentences, one a line; or pairs, with a tab between them"
    )
    target: str | None = setting("data", None, "their translations, line by line")
    valid_source: str | None = setting(
        "data",
        None,
        "sentences to test on; none: one in twenty is held out, at most 1,000",
    )
    valid_target: str | None = setting("data", None, "their translations")
    swap: bool = setting("data", False, "translate from target to source")

    vocab_size: int = setting("text", 8000, "pieces of a vocabulary", least=5)
    model_type: str = setting(
        "text", "unigram", "kind of pieces", choices=("unigram", "bpe", "char", "word")
    )
    normalization: str = setting(
        "text",
        "nfkc",
        "what is done to characters first",
        choices=("nfkc", "nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf", "identity"),
    )
    share_vocabulary: bool = setting(
        "text", True, "one vocabulary, and one embedding, for both languages"
    )
    max_length: int = setting(
        "text",
        256,
        "tokens of the longest sentence; longer pairs are left out",
        least=2,
    )

    preset: str = setting(
        "model", "tiny", "sizes of the model", choices=("tiny", "base", "big")
    )
    num_layers: int | None = setting("model", None, "encoder layers", least=1)
    num_decoder_layers: int | None = setting("model", None, "decoder layers", least=1)
    d_model: int | None = setting("model", None, "width of the model", least=1)
    num_heads: int | None = setting("model", None, "attention heads", least=1)
    d_ff: int | None = setting("model", None, "width of feed-forward networks", least=1)
    dropout_rate: float | None = setting(
        "model", None, "share of units dropped in training", least=0, below=1
    )
    norm_first: bool = setting("model", False, "normalise before each sub-layer")
    use_bias: bool = setting("model", False, "biases in attention projections")

    epochs: int = setting("training", 30, "passes over the sentences", least=1)
    batch_tokens: int = setting(
        "training", 4096, "tokens of each side in memory at a time", least=1
    )
    update_tokens: int | None = setting(
        "training", None, "tokens of an update; none: those of a batch", least=1
    )
    peak_rate: float | None = setting(
        "training",
        None,
        "highest learning rate; none: the paper's, (d_model * warmup_steps) ** -0.5",
        least=0,
    )
    warmup_steps: int = setting("training", 2000, "updates until it", least=1)
    label_smoothing: float = setting(
        "training", 0.1, "share of likelihood given to all tokens", least=0, below=1
    )
    dtype: str | None = setting(
        "training",
        None,
        "Keras's dtype policy; none: the fastest here",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    seed: int = setting("training", 0, "of all that is drawn by chance", least=0)
    bleu_every: int = setting(
        "training", 1, "epochs between two measurements of BLEU", least=1
    )
    patience: int | None = setting(
        "training",
        None,
        "measurements without a better BLEU until training stops; none: never",
        least=1,
    )
    keep: str = setting(
        "training",
        "last",
        "which epochs' weights are kept, and averaged at the end: the last ones, or "
        "those of the best BLEU",
        choices=("last", "best"),
    )
    averaged: int = setting("training", 5, "how many of them", least=1)
    save_every: int = setting(
        "training", 500, "most batches that a killed training does again", least=1
    )

    beam_size: int = setting("decoding", 4, "hypotheses kept for a sentence", least=1)
    length_penalty: float = setting(
        "decoding", 0.6, "exponent of the length; more favours longer ones", least=0
    )

    def __post_init__(self):
        if not self.source:
            raise ValueError(
                "TrainingSettings: got no source, but there must be sentences to learn "
                "from. Give a file of sentences as source."
            )
        for field in dataclasses.fields(self):
            require_valid(field, getattr(self, field.name))


def kinds(field):
    """The types that a setting may have: one, or one and None."""
    return getattr(field.type, "__args__", (field.type,))


def require_valid(field, value):
    """Raise TypeError or ValueError unless a setting may have this value."""
    allowed = kinds(field)
    if isinstance(value, int) and not isinstance(value, bool) and float in allowed:
        value = float(value)
    if type(value) not in allowed:
        raise TypeError(
            f"TrainingSettings: got {field.name}={value!r}, but it is "
            f"{allowed[0].__name__}: {field.metadata['help']}. Give such a value."
        )
    if value is None:
        return
    least, below, choices = (
        field.metadata[name] for name in ("least", "below", "choices")
    )
    if choices is not None and value not in choices:
        raise ValueError(
            f"TrainingSettings: got {field.name}={value!r}, but there are only "
            f"{', '.join(map(repr, choices))}. Use one of them."
        )
    too_low = least is not None and not value >= least
    if too_low or (below is not None and not value < below):
        end = "" if below is None else f" and below {below}"
        raise ValueError(
            f"TrainingSettings: got {field.name}={value!r}, but it must be at least "
            f"{least}{end}: {field.metadata['help']}. Use another value."
        )
