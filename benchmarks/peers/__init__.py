"""Those who decode side by side: one module each, run in a process of its own.

Each module has one function to build a translator and to translate with it,

    build(case, number_format, search) -> translate(texts) -> list of str

and, where it takes over the weights of the case, one that says how far it is off:

    largest_difference(case) -> float

over a batch with given targets, in float32. `case` and `search` are those of `case.py`.
"""

from typing import NamedTuple


class Peer(NamedTuple):
    """What is to be known of a peer without importing it.

    Attributes:
        title: Name in the tables.
        formats: Numeric formats it is measured in; each is one competitor.
        install: Command that installs it.
        ours: Whether it belongs to this project; the others are compared with the
            best of ours.
        copies_weights: Whether it runs the weights of the case. If not, its answers
            mean nothing, and it takes part on random weights only.
        is_checked: Whether it has a `largest_difference`.
    """

    title: str
    formats: tuple
    install: str
    ours: bool = False
    copies_weights: bool = True
    is_checked: bool = True


# Formats of the exported SavedModels: what `Translator.export` takes as `dtype`.
EXPORT_FORMATS = ("float32", "bfloat16", "int8")

PEERS = {
    "translator": Peer(
        "keras_attention Translator",
        ("float32", "bfloat16"),
        "pip install '.[benchmark]'",
        ours=True,
        is_checked=False,
    ),
    "saved_model": Peer(
        "keras_attention SavedModel",
        (*EXPORT_FORMATS, "bfloat16 per core"),
        "pip install '.[benchmark]'",
        ours=True,
        is_checked=False,
    ),
    "ctranslate2": Peer(
        "CTranslate2",
        ("float32", "int8", "int8 per core", "bfloat16"),
        "pip install ctranslate2",
    ),
    "hugging_face": Peer(
        "Hugging Face Marian", ("float32", "bfloat16"), "pip install transformers torch"
    ),
    "keras_hub": Peer(
        "KerasHub BART",
        ("float32 XLA", "bfloat16"),
        "pip install keras-hub",
        copies_weights=False,
        is_checked=False,
    ),
}
