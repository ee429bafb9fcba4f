"""Those who train side by side: one module each, run in a process of its own.

Each module has one function that builds a model and makes it ready to learn,

    build(case, number_format) -> trainer

where `case` is a `TrainingCase`, and a trainer has

    parameters            number of trainable parameters
    steps                 batches of one repetition
    first_step() -> loss  learn the first batch
    train() -> loss       learn all batches once; the mean loss, or that of the last
    peak_mib() -> float   the most memory it has held: on a GPU that of the GPU

and, where our weights fit it, one that says how far its loss is off:

    loss_difference(case) -> float

in float32, without dropout. All minimise the same loss, cross-entropy over the real
tokens with label smoothing, by the same optimizer.
"""

from typing import NamedTuple

LABEL_SMOOTHING = 0.1
LEARNING_RATE = 1e-4
BETAS = (0.9, 0.98)
EPSILON = 1e-9  # of the optimizer


class Peer(NamedTuple):
    """What is to be known of a peer without importing it.

    Attributes:
        title: Name in the tables.
        formats: Settings it is measured in; each is one competitor.
        install: Command that installs it.
        differs: What its model or its batches have that others have not.
        ours: Whether it belongs to this project.
        is_checked: Whether it has a `loss_difference`.
    """

    title: str
    formats: tuple
    install: str
    differs: str
    ours: bool = False
    is_checked: bool = False


INSTALL = "pip install '.[benchmark]'"

CPU_PEERS = {
    "ours": Peer(
        "keras_attention",
        ("mixed_bfloat16", "float32"),
        INSTALL,
        "no XLA; attention with biases, as the others have them; dropout on embeddings "
        "and sub-layers' outputs; real sentences by translation_dataset.",
        ours=True,
    ),
    "keras_hub": Peer(
        "KerasHub layers",
        ("mixed_bfloat16", "defaults"),
        INSTALL,
        "defaults are float32 and jit_compile='auto', which is XLA, else no XLA; "
        "learned positions, and so as many parameters more; dropout on the weights of "
        "attention, too; our loss; real sentences padded to the longest of the corpus.",
    ),
    "torch": Peer(
        "torch nn.Transformer",
        ("bfloat16", "float32", "bfloat16 compiled"),
        "pip install torch",
        "bfloat16 by autocast; dropout as ours; real sentences in our batches, made "
        "beforehand.",
        is_checked=True,
    ),
}

GPU_PEERS = {
    "ours_jax": Peer(
        "keras_attention on JAX",
        ("mixed_bfloat16", "mixed_bfloat16 plain attention"),
        "pip install '.[benchmark]' 'jax[cuda13]'",
        "by fit; attention with biases, as torch has them; 'plain attention' without "
        "the fused one.",
        ours=True,
    ),
    "torch": CPU_PEERS["torch"]._replace(
        formats=("bfloat16 compiled", "bfloat16"),
        differs="bfloat16 by autocast; dropout as ours; a loop of its own.",
    ),
}

PEERS = {**CPU_PEERS, **GPU_PEERS}
