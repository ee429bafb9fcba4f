"""What a training is told, in one record: checked, documented, and repeatable."""

# Nothing but the standard library is imported here: the command line reads this file to
# know its own options, and must not wait for Keras.
import dataclasses

SECTIONS = ("data", "text", "model", "training", "decoding")


def setting(
    section,
    default,
    help,
    least=None,
    below=None,
    choices=None,
    new=None,
    pretrained=None,
):
    """A field, with what it means and which values it may have.

    Args:
        section: Where it is found in a file.
        default: Its value where nothing is said; None where that depends.
        help: What it is, with its unit.
        least: The lowest value; None for no limit.
        below: What it must be lower than; None for no limit.
        choices: All values there are; None for no limit.
        new: What a default of None stands for where a new model is trained.
        pretrained: The same where a pretrained one is trained on.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "section": section,
            "help": help,
            "least": least,
            "below": below,
            "choices": choices,
            "new": new,
            "pretrained": pretrained,
        },
    )


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """All that a training of a translator depends on, but for the version of this.

    Each attribute is also an option of `keras-attention train`, whose help lists them,
    and a line of its settings file. None lets the training choose, by the machine, by
    the preset, or by whether the model is new; `train_translator` then writes what it
    chose. What a pretrained model decides, its vocabulary and sizes, stays None.

    Raises:
        TypeError: A value is of another kind than the setting.
        ValueError: A value is out of its range; `source` is missing; or something is
            said of the vocabulary or the sizes of a pretrained model.

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

    vocab_size: int | None = setting(
        "text", None, "pieces of a vocabulary", least=5, new=8000
    )
    model_type: str | None = setting(
        "text",
        None,
        "kind of pieces",
        choices=("unigram", "bpe", "char", "word"),
        new="unigram",
    )
    normalization: str | None = setting(
        "text",
        None,
        "what is done to characters first",
        choices=("nfkc", "nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf", "identity"),
        new="nfkc",
    )
    share_vocabulary: bool | None = setting(
        "text",
        None,
        "one vocabulary, and one embedding, for both languages",
        new=True,
    )
    max_length: int = setting(
        "text",
        256,
        "tokens of the longest sentence; longer pairs are left out",
        least=2,
    )

    pretrained: str | None = setting(
        "model",
        None,
        "a model to train on, a folder of train's or in Marian's format; it brings "
        "its vocabulary, sizes and search with it",
    )
    preset: str | None = setting(
        "model",
        None,
        "sizes of the model: tiny has 4+4 layers of width 128, base 6+6 of 512, big 6+6 "
        "of 1024",
        choices=("tiny", "base", "big"),
        new="tiny",
    )
    num_layers: int | None = setting(
        "model", None, "encoder layers; none: the preset's", least=1
    )
    num_decoder_layers: int | None = setting(
        "model", None, "decoder layers; none: as many", least=1
    )
    d_model: int | None = setting(
        "model", None, "width of the model; none: the preset's", least=1
    )
    num_heads: int | None = setting(
        "model", None, "attention heads; none: the preset's", least=1
    )
    d_ff: int | None = setting(
        "model", None, "width of feed-forward networks; none: the preset's", least=1
    )
    dropout_rate: float | None = setting(
        "model",
        None,
        "share of units dropped in training; none: 0.1, in big 0.3",
        least=0,
        below=1,
    )
    norm_first: bool | None = setting(
        "model", None, "normalise before each sub-layer", new=False
    )
    use_bias: bool | None = setting(
        "model", None, "biases in attention projections", new=False
    )

    epochs: int | None = setting(
        "training", None, "passes over the sentences", least=1, new=30, pretrained=5
    )
    batch_tokens: int = setting(
        "training", 4096, "tokens of each side in memory at a time", least=1
    )
    update_tokens: int | None = setting(
        "training", None, "tokens of an update; none: those of a batch", least=1
    )
    peak_rate: float | None = setting(
        "training",
        None,
        "highest learning rate; none: the paper's, (d_model * warmup_steps) ** -0.5, "
        "or for a pretrained model 2e-05",
        least=0,
        pretrained=2e-5,
    )
    warmup_steps: int | None = setting(
        "training",
        None,
        "updates until the learning rate is at its highest",
        least=1,
        new=2000,
        pretrained=100,
    )
    label_smoothing: float = setting(
        "training", 0.1, "share of likelihood given to all tokens", least=0, below=1
    )
    dtype: str | None = setting(
        "training",
        None,
        "Keras's dtype policy; none: the fastest here",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    seed: int = setting(
        "training", 0, "what all that is drawn by chance depends on", least=0
    )
    bleu_every: int = setting(
        "training", 1, "epochs between two measurements of BLEU", least=1
    )
    patience: int | None = setting(
        "training",
        None,
        "measurements without a better BLEU until training stops; none: never",
        least=1,
    )
    averaged: int = setting(
        "training", 5, "how many epochs' weights are kept and averaged", least=1
    )
    keep: str = setting(
        "training",
        "last",
        "which epochs' weights these are: the last ones, or those of the best BLEU",
        choices=("last", "best"),
    )
    save_every: int = setting(
        "training", 500, "most batches that a killed training does again", least=1
    )

    beam_size: int | None = setting(
        "decoding", None, "hypotheses kept for a sentence", least=1, new=4
    )
    length_penalty: float | None = setting(
        "decoding",
        None,
        "exponent of the length; more favours longer ones",
        least=0,
        new=0.6,
    )

    def __post_init__(self):
        if not self.source:
            raise ValueError(
                "TrainingSettings: got no source, but there must be sentences to learn "
                "from. Give a file of sentences as source."
            )
        for field in dataclasses.fields(self):
            require_valid(field, getattr(self, field.name))
        if self.pretrained is not None:
            require_open(self)


def is_of_the_model(field):
    """Whether a setting is decided once and for all when a model is made."""
    section, free = field.metadata["section"], ("max_length", "pretrained")
    return section in ("text", "model") and field.name not in free


def require_open(settings):
    """Raise ValueError if something is said of what a pretrained model decides."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if is_of_the_model(field) and value is not None:
            raise ValueError(
                f"TrainingSettings: got pretrained={settings.pretrained!r} and "
                f"{field.name}={value!r}, but a pretrained model keeps its own "
                f"{field.name}. Leave one of them out."
            )


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
