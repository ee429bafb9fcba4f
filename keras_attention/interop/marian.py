"""A folder of Hugging Face's Marian <-> a Translator."""

import json
import pathlib
import warnings

from keras_attention.export.translator import Translator
from keras_attention.files.replaced_folder import replaced_folder
from keras_attention.interop.marian_config import (
    ACTIVATIONS,
    CONFIG_FILE,
    GENERATION_FILE,
    MarianConfig,
    generation_config,
    marian_config,
    read_generation,
    read_json,
    search_settings,
    unsaid_settings,
)
from keras_attention.interop.marian_vocabulary import MarianVocabulary
from keras_attention.interop.marian_weights import (
    TensorReader,
    marian_tensors,
    read_weights,
)
from keras_attention.interop.tensor_file import (
    SAFETENSORS_FILE,
    find_tensor_file,
    read_tensors,
    write_tensors,
)
from keras_attention.models.transformer import Transformer
from keras_attention.text.marian_tokenizer import MarianTokenizer

PIECES_FILES = SOURCE_PIECES, TARGET_PIECES = "source.spm", "target.spm"
VOCABULARY_FILE, TARGET_VOCABULARY_FILE = "vocab.json", "target_vocab.json"
TOKENIZER_FILE = "tokenizer_config.json"
FILES = (
    CONFIG_FILE,
    GENERATION_FILE,
    TOKENIZER_FILE,
    SAFETENSORS_FILE,
    *PIECES_FILES,
    VOCABULARY_FILE,
    TARGET_VOCABULARY_FILE,
)


def load_marian(folder, dtype=None, **settings):
    """Make a translator of an opus-mt model, or of any in Marian's format.

    Neither torch nor transformers is needed. What comes out is an ordinary `Translator`
    with an ordinary `Transformer` inside, to translate with, train on, save and export;
    it says what transformers says for the same folder.

    Args:
        folder: With config.json, model.safetensors or pytorch_model.bin (for which
            torch must be installed), source.spm, target.spm and vocab.json, and where
            they are, generation_config.json and target_vocab.json.
        dtype: Dtype policy of the model, such as "mixed_bfloat16"; None takes Keras's
            global one.
        **settings: What `Translator` takes, such as `beam_size`, instead of what the
            folder says.

    Returns:
        A `Translator`.

    Raises:
        FileNotFoundError: If a file is missing.
        ImportError: If safetensors, or torch, is not installed.
        ValueError: If a file can not be read, is another architecture's, or does not
            fit the others.

    Source:
        Junczys-Dowmunt et al., 2018, "Marian"; Tiedemann and Thottingal, 2020,
        "OPUS-MT".

    Example:

        translator = load_marian("opus-mt-ko-en")
        translator(["안녕하세요."])
    """
    owner, folder = "load_marian", pathlib.Path(folder)
    config = MarianConfig(owner, folder / CONFIG_FILE)
    source, target = read_vocabularies(owner, folder, config)
    tokenizers = [
        read_tokenizer(owner, folder / name, vocabulary)
        for name, vocabulary in zip(PIECES_FILES, (source, target))
    ]
    generation = read_generation(owner, folder, config)
    searched, forbidden = search_settings(generation, target, config.max_positions)
    path = find_tensor_file(owner, folder)
    reader = TensorReader(owner, path, read_tensors(owner, path))
    sizes = [tokenizer.vocab_size for tokenizer in tokenizers]
    model = Transformer(
        **config.transformer_settings(*sizes), forbidden_tokens=forbidden, dtype=dtype
    )
    read_weights(reader, model, source, target, config)
    limits = {"max_source_length": config.max_positions}
    return Translator(model, *tokenizers, **{**limits, **searched, **settings})


def save_marian(translator, folder):
    """Write a translator as a folder that transformers and CTranslate2 read.

    The model and the tokenizers are written exactly. Of the search, the folder can name
    `beam_size`, `length_penalty` with `length_offset=0`, a whole `max_length`,
    `no_repeat_ngram_size`, `repetition_penalty` and `suppressed_tokens`, and it is
    done with `complete=False`; a warning names what there are no words for.

    Args:
        translator: A `Translator`.
        folder: Where to write. What was written there before is replaced, but only
            when the new one is whole.

    Raises:
        FileExistsError: If the folder holds other things.
        ImportError: If safetensors is not installed.
        TypeError: If the model is no `Transformer`.
        ValueError: If the model does what a Marian model can not do.
    """
    owner, model, settings = "save_marian", translator.model, translator.settings
    require_transformer(owner, model)
    require_expressible(owner, model.config)
    tokenizers = translator.source_tokenizer, translator.target_tokenizer
    source, target = vocabularies_of(*tokenizers)
    size = len(target.pieces)
    limit = most_positions(translator)
    files = {
        CONFIG_FILE: marian_config(model, size, limit),
        GENERATION_FILE: generation_config(settings, model, target, limit),
        TOKENIZER_FILE: tokenizer_config(source is not target, limit),
    }
    with replaced_folder(owner, folder, FILES) as aside:
        for name, values in files.items():
            (aside / name).write_text(json.dumps(values, indent=2) + "\n")
        for name, tokenizer in zip(PIECES_FILES, tokenizers):
            (aside / name).write_bytes(tokenizer.model_proto)
        source.write(aside / VOCABULARY_FILE)
        if source is not target:
            target.write(aside / TARGET_VOCABULARY_FILE)
        tensors = marian_tensors(model, source, target, limit)
        write_tensors(owner, aside / SAFETENSORS_FILE, tensors)
    if unsaid := unsaid_settings(settings, model):
        warnings.warn(
            f"{owner}: generation_config.json has no words for the translator's "
            f"{', '.join(unsaid)}, so others will search in another way. Give them "
            f"there what comes nearest; the model itself is the same.",
            stacklevel=2,
        )


def read_vocabularies(owner, folder, config):
    """`MarianVocabulary` of the source and of the target; one, where they share it.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If one does not fit config.json.
    """
    path = folder / VOCABULARY_FILE
    source = MarianVocabulary.read(owner, path)
    config.require_fitting(path, source, "vocab_size")
    separate = (folder / TOKENIZER_FILE).is_file() and read_json(
        owner, folder / TOKENIZER_FILE
    ).get("separate_vocabs", False)
    if not separate:
        config.require_fitting(path, source, "decoder_vocab_size")
        return source, source
    path = folder / TARGET_VOCABULARY_FILE
    target = MarianVocabulary.read(owner, path)
    config.require_fitting(path, target, "decoder_vocab_size")
    return source, target


def read_tokenizer(owner, path, vocabulary):
    """The tokenizer of one side.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no whole sentencepiece model.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{owner}: got the folder {path.parent}, but it has no {path.name}. "
            f"Download the whole model."
        )
    try:
        return MarianTokenizer(path.read_bytes(), vocabulary.our_pieces)
    except ValueError as error:
        raise ValueError(
            f"{owner}: got the file {path}, but it is no whole sentencepiece model "
            f"({error}). Check that it was not cut off, and download it again."
        ) from error


def vocabularies_of(source_tokenizer, target_tokenizer):
    """`MarianVocabulary` of each tokenizer; one, where both have the same pieces.

    Two of them get the same size, as Marian begins and fills up with the same id.
    """
    pieces = [pieces_of(source_tokenizer), pieces_of(target_tokenizer)]
    if pieces[0] == pieces[1]:
        vocabulary = MarianVocabulary.of_tokenizer(pieces[0])
        return vocabulary, vocabulary
    size = max(map(len, pieces)) - 1
    return [MarianVocabulary.of_tokenizer(one, size) for one in pieces]


def pieces_of(tokenizer):
    """All pieces of a tokenizer, in the order of their ids."""
    ids = [list(range(tokenizer.vocab_size))]
    return [piece.decode() for piece in tokenizer.ids_to_pieces(ids)[0].numpy()]


def most_positions(translator):
    """Tokens of the longest sentence on either side, START and END included."""
    source, longest = translator.max_source_length, translator.settings.max_length
    ratio, offset = (0, longest) if isinstance(longest, int) else longest
    return max(source, int(ratio * source) + offset + 1)


def tokenizer_config(separate, max_length):
    return {
        "tokenizer_class": "MarianTokenizer",
        "separate_vocabs": separate,
        "model_max_length": max_length,
        "unk_token": "<unk>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "source_lang": None,
        "target_lang": None,
        "sp_model_kwargs": {},
    }


def require_transformer(owner, model):
    """Raise TypeError unless a model is of the kind that Marian's format is for."""
    if not isinstance(model, Transformer):
        raise TypeError(
            f"{owner}: got a translator with a model of type {type(model).__name__}, "
            f"but Marian's format is one of Transformers. Use Translator.export to "
            f"serve it; of an Ensemble, save each member."
        )


def require_expressible(owner, config):
    """Raise ValueError unless Marian has layers as a Transformer's settings ask for."""
    known = sorted(set(ACTIVATIONS.values()))
    possible = {"norm_first": [False], "activation": known}
    for name, values in possible.items():
        if config[name] not in values:
            raise ValueError(
                f"{owner}: got a model with {name}={config[name]!r}, but Marian's "
                f"format knows only {', '.join(map(repr, values))}. Use Translator."
                f"export to serve it, or train one with that setting."
            )
