"""Translations, references -> BLEU, chrF and TER, each with what it was measured by."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How near translations come to references, over all sentences together.

    Attributes:
        bleu: n-grams of words in common, in [0, 100]; higher is better.
        chrf: n-grams of characters in common, in [0, 100]; higher is better.
        ter: Edits that would make a reference of a translation, in per cent of the
            reference's words; from 0, with no upper end; lower is better.
        signatures: sacrebleu's signature of each, by "bleu", "chrf" and "ter": what
            must be the same in two figures that are compared.
    """

    bleu: float
    chrf: float
    ter: float
    signatures: dict[str, str]

    def __str__(self):
        return "\n".join(
            f"{name:4}  {getattr(self, name.lower()):6.2f}  "
            f"{self.signatures[name.lower()]}"
            for name in ("BLEU", "chrF", "TER")
        )


def evaluate(
    translations: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    lowercase: bool = False,
    tokenize: str = "13a",
) -> Evaluation:
    """Measure translations of a whole test set by sacrebleu.

    Give the sentences as a reader would see them, put together again from the pieces
    of any tokenizer: sacrebleu cuts them into words itself, so that figures can be
    compared. For a literature that counts tokenised and lower-cased BLEU, give its
    tokenised sentences with `tokenize="none"` and `lowercase=True`.

    Args:
        translations: List of str.
        references: List of as many str; or for several references of each sentence
            a list of such lists, one for each set of references.
        lowercase: Whether BLEU and chrF take "A" for "a". TER does anyway, as its
            first implementation did.
        tokenize: How BLEU cuts a sentence into words, by sacrebleu's name: "13a" as in
            the shared tasks on translation; "none" at spaces alone; "zh", "ja-mecab"
            and "ko-mecab" for languages without spaces between words; and others.

    Returns:
        An `Evaluation`. Printed it is a line for each figure with its signature.

    Raises:
        TypeError: If something else than str is to be compared.
        ValueError: If there is nothing to compare, or there are not as many
            references as translations; or sacrebleu does not know `tokenize`.
        ImportError: If sacrebleu is not installed.

    Source:
        Papineni et al., 2002 (BLEU); Popović, 2015 (chrF); Snover et al., 2006 (TER);
        Post, 2018 (signatures).

    Example:

    >>> evaluate(["A dog runs here."], ["A dog runs there."]).ter  # 1 word of 4
    25.0
    """
    bleu, bleu_signature = measure_bleu(
        "evaluate", translations, references, lowercase, tokenize
    )
    sacrebleu = import_sacrebleu("evaluate")
    sets = reference_sets(references)
    chrf, chrf_signature = measure(
        sacrebleu.CHRF(lowercase=lowercase), translations, sets
    )
    ter, ter_signature = measure(sacrebleu.TER(), translations, sets)
    signatures = {"bleu": bleu_signature, "chrf": chrf_signature, "ter": ter_signature}
    return Evaluation(bleu, chrf, ter, signatures)


def measure_bleu(owner, translations, references, lowercase, tokenize):
    """Return BLEU, in [0, 100], and its signature; arguments as for `evaluate`."""
    sacrebleu = import_sacrebleu(owner)
    require_tokenization(owner, tokenize)
    require_comparable(owner, translations, references)
    # Sentences for "none" are tokenised on purpose: no warning that they look so.
    bleu = sacrebleu.BLEU(lowercase, force=tokenize == "none", tokenize=tokenize)
    return measure(bleu, translations, reference_sets(references))


def measure(metric, translations, sets):
    """Return the figure of one of sacrebleu's metrics, and its signature."""
    score = metric.corpus_score(translations, sets).score
    return score, str(metric.get_signature())


def reference_sets(references):
    """References of each sentence, one or several -> a list of sets of them."""
    several = references and isinstance(references[0], (list, tuple))
    return references if several else [references]


def import_sacrebleu(owner):
    """Import sacrebleu, or say which package to install."""
    try:
        import sacrebleu
    except ImportError as error:
        raise ImportError(
            f"{owner}: got no sacrebleu, but figures that others can compare are made "
            f"by it. Run: pip install 'keras-attention-transformer[evaluate]'"
        ) from error
    return sacrebleu


def require_tokenization(owner, tokenize):
    """Raise ValueError unless sacrebleu knows this way to cut sentences into words."""
    known = sorted(import_sacrebleu(owner).BLEU.TOKENIZERS)
    if tokenize not in known:
        raise ValueError(
            f"{owner}: got tokenize={tokenize!r}, but sacrebleu's ways to cut a "
            f"sentence into words are {', '.join(known)}. Choose one of them."
        )


def require_comparable(owner, translations, references, name="translations"):
    """Raise unless there are texts, and in each set a reference for each of them."""
    require_texts(owner, name, translations)
    require_list(owner, "references", references)
    sets = reference_sets(references)
    for index, texts in enumerate(sets):
        set_name = "references" if texts is references else f"references[{index}]"
        require_texts(owner, set_name, texts)
        if len(texts) != len(translations):
            raise ValueError(
                f"{owner}: got {len(translations)} {name} and {len(texts)} {set_name}, "
                f"but each translation is compared with its own. Give as many; of "
                f"several references, one list for each set."
            )


def require_texts(owner, name, texts):
    """Raise unless this is a list of str, and not an empty one."""
    require_list(owner, name, texts)
    if not texts:
        raise ValueError(
            f"{owner}: got 0 {name}, but of no sentences there is no figure. Check "
            f"what was read."
        )
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"{owner}: got {type(text).__name__} at {name}[{index}], but only str "
                f"can be compared. Decode or convert it."
            )


def require_list(owner, name, texts):
    """Raise TypeError unless this is a list or a tuple."""
    if not isinstance(texts, (list, tuple)):
        raise TypeError(
            f"{owner}: got {name} of type {type(texts).__name__}, but a list of str is "
            f"needed. Put the texts into a list."
        )
