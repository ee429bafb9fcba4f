"""A folder with a model -> a translator, whoever wrote it."""

import pathlib

from keras_attention.export.translator import MODEL_FILE, SETTINGS_FILE, Translator
from keras_attention.interop.marian import load_marian
from keras_attention.interop.marian_config import CONFIG_FILE
from keras_attention.models.transformer import Transformer
from keras_attention.runs.run_folder import SETTINGS


def load_translator(folder, dtype=None, **settings):
    """Load a translator from a folder of ours, or from one in Marian's format.

    Args:
        folder: That `train_translator`, `Translator.save` or `save_marian` wrote, or
            Hugging Face's hub has as opus-mt.
        dtype: Dtype policy of the model, such as "mixed_bfloat16"; None takes that of
            the folder, and of a Marian model Keras's global one.
        **settings: What `Translator` takes, such as `beam_size`, instead of what the
            folder says.

    Returns:
        A `Translator`.

    Raises:
        FileNotFoundError: There is no such folder, or a file in it is missing; or it
            is of a training that has not ended.
        ValueError: A file in it can not be read.

    Example:

        load_translator("opus-mt-ko-en")(["안녕하세요."])
    """
    folder = pathlib.Path(folder)
    require_model(folder)
    if not (folder / SETTINGS_FILE).exists() and (folder / CONFIG_FILE).exists():
        return load_marian(folder, dtype, **settings)
    translator = Translator.load(folder, **settings)
    if dtype in (None, translator.model.dtype_policy.name):
        return translator
    return changed(translator, in_dtype(translator.model, dtype))


def changed(translator, model=None, **settings):
    """A translator like another, but for its model or some of its settings."""
    return Translator(
        translator.model if model is None else model,
        translator.source_tokenizer,
        translator.target_tokenizer,
        **{**translator.get_config(), **settings},
    )


def in_dtype(model, dtype):
    """The same Transformer, by another dtype policy."""
    other = Transformer(**model.config, dtype=dtype)
    other.set_weights(model.get_weights())
    return other


def require_model(folder):
    """Raise FileNotFoundError if a folder is not there, or has no model yet."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"load_translator: got {folder}, but there is no such folder. Check the "
            f"path."
        )
    if (folder / SETTINGS).exists() and not (folder / MODEL_FILE).exists():
        raise FileNotFoundError(
            f"load_translator: got the folder {folder}, but the training in it has not "
            f"come to its end, so there is no model yet. Let it go on by "
            f"keras-attention train --out {folder}, or make a model of the epochs that "
            f"are done by keras-attention average {folder} --out FOLDER."
        )
