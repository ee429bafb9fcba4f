"""Settings -> the translator that a training begins with: new, or trained before."""

import pathlib

import keras

from keras_attention.export.translator import SOURCE_FILE, TARGET_FILE, Translator
from keras_attention.files.replaced_file import replaced_file
from keras_attention.models.transformer import Transformer
from keras_attention.runs.model_folder import load_translator
from keras_attention.text.tokenizer import SubwordTokenizer
from keras_attention.training.accumulation import accumulation_steps
from keras_attention.training.fast_road import choose_fast_road
from keras_attention.training.loss import MaskedCrossentropy
from keras_attention.training.metrics import MaskedAccuracy, Perplexity
from keras_attention.training.schedule import WarmupSchedule


def starting_point(settings, folder, pairs=None):
    """The translator that a training begins with, its model compiled.

    Args:
        settings: `TrainingSettings`, completed.
        folder: Of the training, where a new model's tokenizers are once it has begun.
        pairs: (sources, targets), to make them of until then.

    Returns:
        A `Translator`.
    """
    said = search_settings(settings)
    if settings.pretrained is not None:
        translator = load_translator(settings.pretrained, settings.dtype, **said)
    else:
        tokenizers = make_tokenizers(settings, folder, pairs)
        translator = Translator(new_model(settings, tokenizers), *tokenizers, **said)
    compile_model(translator.model, settings)
    return translator


def search_settings(settings):
    """What `SearchSettings` is told; what is None is left to a pretrained model."""
    names = "beam_size", "length_penalty"
    said = {name: getattr(settings, name) for name in names}
    return {name: value for name, value in said.items() if value is not None}


def make_tokenizers(settings, folder, pairs=None):
    """(source, target) tokenizers: those in a folder, or new ones made of pairs."""
    paths = tokenizer_paths(folder)
    if paths[1].exists():  # The last to be written.
        return [SubwordTokenizer.load(path) for path in paths]

    def train(lines):
        return SubwordTokenizer.train(
            lines,
            vocab_size=settings.vocab_size,
            model_type=settings.model_type,
            normalization=settings.normalization,
        )

    if settings.share_vocabulary:
        return [train([*pairs[0], *pairs[1]])] * 2
    return [train(lines) for lines in pairs]


def keep_tokenizers(tokenizers, folder):
    """Put (source, target) tokenizers where `make_tokenizers` finds them again."""
    for path, tokenizer in zip(tokenizer_paths(folder), tokenizers):
        if not path.exists():
            with replaced_file(path) as aside:
                tokenizer.save(aside)


def tokenizer_paths(folder):
    return [pathlib.Path(folder, name) for name in (SOURCE_FILE, TARGET_FILE)]


def new_model(settings, tokenizers):
    """The Transformer that the settings ask for, its weights drawn by chance."""
    names = "num_layers", "num_decoder_layers", "d_model", "num_heads", "d_ff"
    names += "dropout_rate", "norm_first", "use_bias", "dtype"
    return Transformer(
        *(tokenizer.vocab_size for tokenizer in tokenizers),
        share_embeddings=settings.share_vocabulary,
        **{name: getattr(settings, name) for name in names},
    )


def compile_model(model, settings):
    """Give a model the paper's optimizer, at the peak wanted, and what it learns by."""
    accumulated = accumulation_steps(settings.update_tokens, settings.batch_tokens)
    # Keras counts batches, where the settings count updates.
    warmup_steps = settings.warmup_steps * (accumulated or 1)
    model.compile(
        optimizer=keras.optimizers.Adam(
            WarmupSchedule.from_peak(settings.peak_rate, warmup_steps),
            beta_1=0.9,
            beta_2=0.98,
            epsilon=1e-9,
            gradient_accumulation_steps=accumulated,
        ),
        loss=MaskedCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=[MaskedAccuracy(), Perplexity()],
        jit_compile=choose_fast_road().jit_compile,
    )
