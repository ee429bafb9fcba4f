"""Settings that KerasTuner proposes -> a Transformer, and its training: one trial."""

import keras
import keras_tuner

from keras_attention.models.transformer import Transformer
from keras_attention.text.token_batches import TokenBatches
from keras_attention.training.bad_loss import StopOnBadLoss
from keras_attention.training.loss import MaskedCrossentropy
from keras_attention.training.metrics import MaskedAccuracy, Perplexity
from keras_attention.training.schedule import WarmupSchedule
from keras_attention.tuning.search_space import SearchSpace, lowest
from keras_attention.tuning.trial_failures import trial_failures
from keras_attention.tuning.unsmoothed_loss import UnsmoothedLoss

# What a Transformer is made of, and what is for its training.
MODEL_SETTINGS = (
    "num_layers",
    "num_decoder_layers",
    "d_model",
    "num_heads",
    "d_ff",
    "dropout_rate",
    "norm_first",
)


class TransformerHyperModel(keras_tuner.HyperModel):
    """Propose Transformers, and train them, for any tuner of KerasTuner.

    What is searched, and the usual range:

        num_layers          1 to 6             encoder layers
        num_decoder_layers  1 to 6
        d_model             64, 128, ... 512
        num_heads           2, 4, 8
        d_ff                128, 256, ... 2048
        dropout_rate        0.0 to 0.4
        norm_first          False, True
        label_smoothing     0.0 to 0.2
        peak_rate           3e-4 to 1e-2       highest learning rate
        warmup_steps        250, 500, ... 8000 optimizer steps until it
        batch_tokens        1024, 2048, ... 8192

    A range is narrowed or fixed by its name: `d_model=[64, 96]` tries these,
    `dropout_rate=(0.0, 0.3)` all between, `num_heads=4` this one. A tuple of integers
    holds every integer between (the layers), or the doublings of the lowest (the rest).

    Nothing is proposed that no Transformer could be made of. Each number of heads must
    divide each width, which is checked here. And if a proposal has more than
    `max_parameters`, counted by a formula before anything is built, the trial takes the
    nearest settings that fit: the fewest steps down in layers, width and d_ff, and of
    those the largest model. Why so? Were it rejected instead, each rejection would cost
    a trial of RandomSearch, Hyperband would miss what it needs to fill its rounds, and
    BayesianOptimization, which learns nothing from failed trials, would propose the
    same again. Choices under conditions on earlier ones would be a new dimension each
    for its Gaussian process. So the objective is a function of the proposal everywhere.
    KerasTuner's own summary shows the proposals; `settings(hp)` tells what was trained.

    The data are given to `search`, as token ids: `tuner.search(sources, targets,
    validation_data=(valid_sources, valid_targets), epochs=10)`. Trials can be compared
    by "val_loss", which is measured without label smoothing (see `UnsmoothedLoss`),
    "val_accuracy", "val_perplexity", and by what a callback logs.

    A trial that lacks memory or diverges has failed, and the search goes on; any other
    error ends it. `Hyperband` goes on with the weights, data and learning rate of the
    earlier round, but with new moments of Adam, as KerasTuner keeps no optimizer.

    Args:
        source_vocab_size, target_vocab_size, share_embeddings: See `Transformer`.
        max_parameters: Most parameters of a model; None for no limit.
        max_length: Most tokens in a sentence, with its END; longer pairs are left out.
        callbacks: `model -> list of callbacks`, asked in each trial; for "val_bleu" it
            returns `[BleuCallback(Translator(model, ...), ...)]`. None for none.
        jit_compile: See `keras.Model.compile`, and `set_fast_road`.
        **ranges: See above.

    Raises:
        TypeError: A range of something unknown, or with values of a wrong type.
        ValueError: A range that is empty or holds what cannot be, such as heads that do
            not divide a width; or no model has so few parameters.

    Example:

        hyper_model = TransformerHyperModel(8000, 8000, d_model=[128, 256], num_heads=4)
        tuner = keras_tuner.Hyperband(hyper_model, "val_loss", max_epochs=20)
        tuner.search(*train_ids, validation_data=valid_ids)
        settings = hyper_model.settings(tuner.get_best_hyperparameters()[0])
    """

    def __init__(
        self,
        source_vocab_size,
        target_vocab_size,
        *,
        share_embeddings=False,
        max_parameters=None,
        max_length=256,
        callbacks=None,
        jit_compile="auto",
        **ranges,
    ):
        super().__init__()
        self.vocabulary = {
            "source_vocab_size": source_vocab_size,
            "target_vocab_size": target_vocab_size,
            "share_embeddings": share_embeddings,
        }
        owner = type(self).__name__
        self.space = SearchSpace(owner, ranges, max_parameters, **self.vocabulary)
        self.max_length = max_length
        self.callbacks = callbacks
        self.jit_compile = jit_compile
        self.dtype_policy = keras.config.dtype_policy()
        self._require_room_for_sentences(owner)

    def settings(self, hp):
        """What a trial is made of, as a dict by the names of the ranges.

        Args:
            hp: `keras_tuner.HyperParameters`, as a tuner fills them in.
        """
        return self.space.propose(hp)

    def build(self, hp):
        """A new model of the settings proposed, compiled."""
        settings = self.settings(hp)
        with trial_failures(settings):
            return self.build_settings(settings)

    def build_settings(self, settings):
        """A new model of given settings, compiled.

        Args:
            settings: dict, as `settings` returns it.
        """
        # KerasTuner clears Keras's session before each trial, and this policy with it.
        keras.config.set_dtype_policy(self.dtype_policy)
        sizes = {name: settings[name] for name in MODEL_SETTINGS}
        model = Transformer(**self.vocabulary, **sizes)
        schedule = WarmupSchedule.from_peak(
            settings["peak_rate"], settings["warmup_steps"]
        )
        model.compile(
            keras.optimizers.Adam(schedule, 0.9, 0.98, 1e-9),
            MaskedCrossentropy(settings["label_smoothing"]),
            metrics=[MaskedAccuracy(), Perplexity()],
            jit_compile=self.jit_compile,
        )
        return model

    def fit(
        self,
        hp,
        model,
        sources,
        targets,
        validation_data,
        callbacks=(),
        initial_epoch=0,
        **kwargs,
    ):
        """Train a model: what KerasTuner calls in each trial.

        Args:
            hp: As for `settings`.
            model: From `build`.
            sources, targets: Token ids of sentences and of their translations, as for
                `TokenBatches`.
            validation_data: Two of the same, to judge by.
            callbacks: Those of the tuner; they come behind those of this object.
            initial_epoch: Epochs that the model has behind it.
            **kwargs: Others of `keras.Model.fit`.

        Returns:
            The `History`.
        """
        return self.fit_settings(
            self.settings(hp),
            model,
            (sources, targets),
            validation_data,
            callbacks=callbacks,
            initial_epoch=initial_epoch,
            **kwargs,
        )

    def fit_settings(
        self, settings, model, train, valid, callbacks=(), initial_epoch=0, **kwargs
    ):
        """Train a model of given settings, as in a trial.

        Args:
            settings: dict, as `settings` returns it.
            model: From `build_settings`.
            train, valid: Pairs of token ids, (sources, targets).
            callbacks, initial_epoch, **kwargs: See `fit`.

        Returns:
            The `History`.
        """
        with trial_failures(settings):
            batches = self.batches(settings, *train)
            done = initial_epoch * len(batches)
            model.optimizer.iterations.assign(done)  # The rate goes on from there.
            return model.fit(
                batches.starting_at(initial_epoch),
                validation_data=self.batches(settings, *valid, shuffle=False),
                initial_epoch=initial_epoch,
                callbacks=[
                    UnsmoothedLoss(),
                    StopOnBadLoss(batches),
                    *(self.callbacks(model) if self.callbacks else ()),
                    *callbacks,
                ],
                **kwargs,
            )

    def batches(self, settings, sources, targets, shuffle=True):
        """Token ids -> `TokenBatches` of the size that settings say."""
        return TokenBatches(
            sources,
            targets,
            batch_tokens=settings["batch_tokens"],
            max_length=self.max_length,
            shuffle=shuffle,
        )

    def get_config(self):
        """What makes a search another one, for JSON."""
        return {
            **self.vocabulary,
            "max_parameters": self.space.max_parameters,
            "max_length": self.max_length,
            "dtype": self.dtype_policy.name,
            **{
                name: [values.low, values.high] if hasattr(values, "low") else values
                for name, values in self.space.ranges.items()
            },
        }

    def _require_room_for_sentences(self, owner):
        batch_tokens = lowest(self.space.ranges["batch_tokens"])
        if batch_tokens < self.max_length:
            raise ValueError(
                f"{owner}: got batch_tokens={batch_tokens} and max_length="
                f"{self.max_length}, but the longest sentence must have room in a "
                f"batch. Raise batch_tokens or lower max_length."
            )
