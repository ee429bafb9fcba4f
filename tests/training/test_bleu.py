"""BLEU of what a model translates while it trains, and what follows from it."""

import csv
import io
import json
import sys

import keras
import numpy as np
import pytest
from event_reading import read_events

import keras_attention as ka
from keras_attention.training.bleu import BleuCallback, spread
from keras_attention.training.checkpoints import Checkpoints
from keras_attention.training.evaluation import evaluate

X, Y = np.ones((2, 3), "float32"), np.ones((2, 1), "float32")
REFERENCES = [f"satz {number} hat genau sechs wörter" for number in range(7)]
SOURCES = [f"sentence {number} has just six words" for number in range(7)]


class Scripted:
    """Translate all but the first `wrong[n]` words at the n-th time."""

    def __init__(self, *wrong):
        self.wrong = iter(wrong)

    def __call__(self, texts):
        assert texts == SOURCES
        return with_wrong_words(next(self.wrong))


def with_wrong_words(count):
    return [
        " ".join(["?"] * count + text.split(" ")[count:]) if count < 6 else ""
        for text in REFERENCES
    ]


def bleu_of(count):
    return evaluate(with_wrong_words(count), REFERENCES).bleu


class Weights(keras.callbacks.Callback):
    """Remember the weights at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(weights_of(self.model))


def weights_of(model):
    return [keras.ops.convert_to_numpy(value).copy() for value in model.weights]


def small_model():
    layers = [keras.layers.Dense(5), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((3,)), *layers])


def trained_model():
    model = small_model()
    model.compile("adam", "mse", run_eagerly=True)
    return model


def train(callbacks, epochs, first=1):
    """Train from the epoch `first` to `epochs`; return the history."""
    return trained_model().fit(
        X,
        Y,
        epochs=epochs,
        initial_epoch=first - 1,
        callbacks=callbacks,
        verbose=0,
    )


def scripted(*wrong, **options):
    return BleuCallback(
        Scripted(*wrong), SOURCES, REFERENCES, **{"verbose": 0, **options}
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_bleu_is_in_the_history():
    history = train([scripted(4, 2, 0)], epochs=3)
    assert history.history["val_bleu"] == [bleu_of(4), bleu_of(2), bleu_of(0)]
    assert 0 < bleu_of(4) < bleu_of(2) < 99 and bleu_of(0) == pytest.approx(100)
    assert len(history.history["loss"]) == 3


def test_it_is_measured_as_is_said():
    upper = [text.upper() for text in REFERENCES]
    for options in ({}, {"lowercase": True, "tokenize": "char"}):
        callback = BleuCallback(
            lambda texts: upper, SOURCES, [REFERENCES, SOURCES], verbose=0, **options
        )
        history = train([callback], epochs=1)
        expected = evaluate(upper, [REFERENCES, SOURCES], **options).bleu
        assert history.history["val_bleu"] == [expected]


def test_callbacks_behind_it_see_it(tmp_path):
    weights = Weights()
    callbacks = [
        scripted(3, 0, 1, 2, 3),
        keras.callbacks.EarlyStopping("val_bleu", mode="max", patience=2),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "{epoch}.weights.h5",
            monitor="val_bleu",
            mode="max",
            save_best_only=True,
            save_weights_only=True,
        ),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        Checkpoints(tmp_path / "best", keep=2, monitor="val_bleu", mode="max"),
        weights,
    ]
    history = train(callbacks, epochs=5)
    assert history.epoch == [0, 1, 2, 3]
    assert names(tmp_path) == ["1.weights.h5", "2.weights.h5", "best", "log.csv"]
    with open(tmp_path / "log.csv") as file:
        logged = [float(row["val_bleu"]) for row in csv.DictReader(file)]
    assert logged == pytest.approx(history.history["val_bleu"])
    assert [path.name for path in callbacks[4].paths] == [
        f"0002-epoch-2-val_bleu={bleu_of(0)!r}.weights.h5",
        f"0003-epoch-3-val_bleu={bleu_of(1)!r}.weights.h5",
    ]


def test_only_every_so_many_epochs_are_evaluated():
    seen = []

    class Seen(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs.get("val_bleu"))

    train([scripted(2, 1, every=3), Seen()], epochs=7)
    assert seen == [None, None, bleu_of(2), None, None, bleu_of(1), None]


def test_the_best_weights_are_kept(tmp_path):
    best = tmp_path / "new" / "best.weights.h5"
    weights = Weights()
    train([scripted(4, 1, 3, 1, 2, best=best), weights], epochs=5)
    model = small_model()
    model.load_weights(best)
    for value, expected in zip(weights_of(model), weights.epochs[1]):
        np.testing.assert_array_equal(value, expected)
    assert not np.array_equal(weights.epochs[1][0], weights.epochs[3][0])
    assert names(tmp_path / "new") == ["best.weights.h5"]


@pytest.mark.parametrize(
    "patience, epochs", [(1, 3), (2, 6), (3, 7), (4, 8), (None, 8)]
)
def test_training_stops_when_bleu_does_not_rise_any_more(patience, epochs):
    # The same BLEU once more is no gain.
    callback = scripted(4, 3, 3, 2, 5, 3, 2, 1, patience=patience)
    assert len(train([callback], epochs=8).epoch) == epochs


def test_a_training_that_goes_on_does_as_if_it_had_not_been_interrupted(tmp_path):
    wrong = (4, 2, 3, 1, 2, 3, 2, 0)
    whole = scripted(*wrong, patience=3, best=tmp_path / "whole.weights.h5")
    assert len(train([whole], epochs=8).epoch) == 7
    for end in (1, 3, 5, 6):
        best = tmp_path / f"{end}.weights.h5"
        first = scripted(*wrong[:end], patience=3, best=best)
        train([first], epochs=end)
        state = json.loads(json.dumps(first.get_state()))
        second = scripted(*wrong[end:], patience=3, best=best)
        second.set_state(state)
        saved = best.read_bytes()
        history = train([second], epochs=8, first=end + 1)
        assert history.epoch[-1] == 6
        assert second.get_state() == whole.get_state()
        assert (best.read_bytes() == saved) == (end >= 4)


def test_its_state_says_what_was_reached_and_when():
    callback = scripted(4, 1, 3)
    assert callback.get_state() == {
        "best_bleu": None,
        "best_epoch": None,
        "evaluations_without_gain": 0,
    }
    train([callback], epochs=3)
    assert callback.get_state() == {
        "best_bleu": bleu_of(1),
        "best_epoch": 2,
        "evaluations_without_gain": 1,
    }


def test_bleu_its_signature_and_the_same_samples_are_printed_each_time(capsys):
    train([scripted(4, 1, 2, samples=2, verbose=1, patience=1)], epochs=3)
    signature = evaluate(REFERENCES, REFERENCES).signatures["bleu"]
    printed = capsys.readouterr().out
    for epoch, wrong, best in ((1, 4, 4), (2, 1, 1), (3, 2, 1)):
        translations = with_wrong_words(wrong)
        expected = [
            f"Epoch {epoch}: val_bleu {bleu_of(wrong):.2f}, best {bleu_of(best):.2f} "
            f"of epoch {min(epoch, 2)}",
            f"  signature  {signature}",
        ]
        for index in (1, 5):
            expected += [
                f"  source     {SOURCES[index]}",
                f"  model      {translations[index]}",
                f"  reference  {REFERENCES[index]}",
            ]
        assert "\n" + "\n".join(expected) + "\n" in printed
    assert printed.endswith("  BLEU has not risen for 1 evaluations: training stops.\n")


def test_each_of_several_references_is_printed(capsys):
    callback = BleuCallback(
        Scripted(0), SOURCES, [REFERENCES, SOURCES], samples=1, verbose=1
    )
    train([callback], epochs=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [f"  reference  {REFERENCES[3]}", f"  reference  {SOURCES[3]}"]


def test_nothing_is_printed_if_nothing_is_to_be(capsys):
    train([scripted(4, 4, patience=1)], epochs=3)
    assert capsys.readouterr().out == ""
    train([scripted(4, samples=0, verbose=1)], epochs=1)
    assert len(capsys.readouterr().out.strip().splitlines()) == 2


def test_letters_that_the_terminal_lacks_do_not_end_a_training(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    train([scripted(0, verbose=1)], epochs=1)
    assert rb"sechs w\xf6rter" in terminal.buffer.getvalue()


@pytest.mark.parametrize(
    "count, size, expected",
    [
        (3, 7, [1, 3, 5]),
        (3, 1000, [166, 500, 833]),
        (3, 3, [0, 1, 2]),
        (5, 2, [0, 1]),
        (1, 1, [0]),
        (0, 9, []),
    ],
)
def test_samples_are_from_all_over_the_set(count, size, expected):
    assert spread(count, size) == expected


def test_tensorboard_gets_bleu_and_the_samples(tmp_path):
    folder = tmp_path / "logs" / "validation"
    train([scripted(4, 1, every=2, samples=2, log_dir=folder)], epochs=4)
    found = read_events(folder)
    steps, figures = zip(*found["bleu"])
    assert steps == (1, 3)
    np.testing.assert_allclose(figures, [bleu_of(4), bleu_of(1)], rtol=1e-6)
    step, rows = found["translations"][1]
    translations = with_wrong_words(1)
    assert step == 3
    assert [[cell.decode() for cell in row] for row in rows] == [
        ["source", "model", "reference"],
        [SOURCES[1], translations[1], REFERENCES[1]],
        [SOURCES[5], translations[5], REFERENCES[5]],
    ]


def test_tensorboard_gets_bleu_without_samples(tmp_path):
    train([scripted(4, samples=0, log_dir=tmp_path)], epochs=1)
    assert list(read_events(tmp_path)) == ["bleu"]


def test_the_weights_translated_with_are_those_of_the_epoch():
    """Say as many words right as the model's output is near to 1."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.layers[0].kernel.assign(np.zeros((3, 1)))
    model.compile(keras.optimizers.SGD(0.03), "mse", jit_compile=False)
    outputs = []

    def translate(texts):
        outputs.append(float(keras.ops.mean(model(X))))
        return with_wrong_words(round(5 * (1 - min(1, max(0, outputs[-1])))))

    callback = BleuCallback(translate, SOURCES, REFERENCES, verbose=0)
    history = model.fit(
        X, Y, validation_data=(X, Y), epochs=12, callbacks=[callback], verbose=0
    )
    errors = [(1 - output) ** 2 for output in outputs]
    np.testing.assert_allclose(history.history["val_loss"], errors, rtol=1e-5)
    assert history.history["val_bleu"] == sorted(history.history["val_bleu"])
    assert history.history["val_bleu"][0] < 50
    assert history.history["val_bleu"][-1] == pytest.approx(100)


def test_training_goes_as_it_would_without(tmp_path):
    class Translate:
        def __call__(self, texts):
            self.model(X)
            return with_wrong_words(1)

    ends = []
    for evaluated in (False, True):
        keras.utils.set_random_seed(1)
        model, translate = trained_model(), Translate()
        translate.model = model
        callback = BleuCallback(
            translate, SOURCES, REFERENCES, best=tmp_path / "best.weights.h5", verbose=0
        )
        model.fit(X, Y, epochs=3, callbacks=[callback] if evaluated else [], verbose=0)
        ends.append(weights_of(model))
    for without, with_it in zip(*ends):
        np.testing.assert_array_equal(without, with_it)


def test_behind_ema_the_averaged_weights_are_measured_and_kept(tmp_path):
    seen, trained, best = [], Weights(), tmp_path / "best.weights.h5"
    model = small_model()
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    model.compile(optimizer, "mse", jit_compile=False)

    def translate(texts):
        seen.append(weights_of(model)[0])
        return with_wrong_words(3 - len(seen))

    callbacks = [
        trained,
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
        BleuCallback(translate, SOURCES, REFERENCES, best=best, verbose=0),
    ]
    model.fit(X, Y, epochs=2, callbacks=callbacks, verbose=0)
    first, second = [weights[0] for weights in trained.epochs]
    np.testing.assert_allclose(seen[1], 0.9 * first + 0.1 * second, rtol=1e-6)
    assert not np.allclose(seen[1], second)
    kept = small_model()
    kept.load_weights(best)
    np.testing.assert_array_equal(weights_of(kept)[0], seen[1])


def test_an_error_of_translate_leaves_the_best_weights(tmp_path):
    best = tmp_path / "best.weights.h5"
    weights = Weights()

    def translate(texts):
        if len(weights.epochs) == 2:
            raise RuntimeError("no memory for the beam")
        return with_wrong_words(2 - len(weights.epochs))

    callback = BleuCallback(translate, SOURCES, REFERENCES, best=best, verbose=0)
    with pytest.raises(RuntimeError, match="no memory for the beam"):
        train([callback, weights], epochs=5)
    model = small_model()
    model.load_weights(best)
    np.testing.assert_array_equal(weights_of(model)[0], weights.epochs[1][0])
    assert names(tmp_path) == ["best.weights.h5"]
    assert callback.get_state()["best_bleu"] == bleu_of(1)


def test_weights_that_can_not_be_saved_are_not_said_to_be_the_best(tmp_path):
    (tmp_path / "best.weights.h5").mkdir()
    callback = scripted(1, best=tmp_path / "best.weights.h5")
    with pytest.raises(IsADirectoryError):
        train([callback], epochs=1)
    assert callback.get_state()["best_bleu"] is None


@pytest.mark.parametrize(
    "answer, error, message",
    [
        (["a"] * 6, ValueError, "got 6 texts from translate for 7 sources, but"),
        ([], ValueError, "got 0 texts from translate for 7 sources, but"),
        (None, TypeError, "got translations of type NoneType, but a list"),
        ("a b c d", TypeError, "got translations of type str, but a list"),
        (["a"] * 6 + [b"a"], TypeError, r"got bytes at translations\[6\], but only"),
    ],
)
def test_what_translate_may_not_return_is_said(answer, error, message):
    callback = BleuCallback(lambda texts: answer, SOURCES, REFERENCES, verbose=0)
    with pytest.raises(error, match=f"BleuCallback: {message}"):
        train([callback], epochs=1)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"references": REFERENCES[:3]}, ValueError, "got 7 sources and 3 references"),
        ({"sources": []}, ValueError, "got 0 sources, but"),
        ({"sources": "a"}, TypeError, "got sources of type str, but a list"),
        ({"every": 0}, ValueError, "got every=0, but"),
        ({"patience": 0}, ValueError, "got patience=0, but"),
        ({"samples": -1}, ValueError, "got samples=-1, but"),
        ({"best": "best.keras"}, ValueError, "got best='best.keras', but .*weights.h5"),
        ({"tokenize": "words"}, ValueError, "got tokenize='words', but"),
    ],
)
def test_what_can_not_be_is_said_before_the_training(arguments, error, message):
    arguments = {"sources": SOURCES, "references": REFERENCES, **arguments}
    with pytest.raises(error, match=f"BleuCallback: {message}"):
        BleuCallback(Scripted(), **arguments)


@pytest.mark.parametrize("package", ["sacrebleu", "tensorboard"])
def test_a_missing_package_is_said_before_the_training(monkeypatch, package, tmp_path):
    for name in list(sys.modules):
        if name.partition(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"BleuCallback: got no {package}.*install"):
        scripted(log_dir=tmp_path)


WORDS = ["der", "hund", "mann", "läuft", "sieht", "rot", "hier", "nicht"]


def toy_pairs(count=6, length=5):
    """Sentences of numbers, and of words in the reverse order."""
    generator = np.random.default_rng(0)
    numbers = [generator.permutation(len(WORDS))[:length] for _ in range(count)]
    sources = [" ".join(f"n{number}" for number in row) for row in numbers]
    targets = [" ".join(WORDS[number] for number in row[::-1]) for row in numbers]
    return sources, targets


@pytest.mark.tensorflow
def test_bleu_of_a_translator_rises_to_100_as_its_model_learns(tmp_path):
    sources, targets = toy_pairs()
    tokenizer = ka.SubwordTokenizer.train([*sources, *targets], 40, "word")
    batches = ka.translation_dataset(sources, targets, tokenizer, tokenizer)
    model = ka.Transformer(
        tokenizer.vocab_size,
        tokenizer.vocab_size,
        num_layers=1,
        d_model=24,
        num_heads=3,
        d_ff=48,
        dropout_rate=0.0,
    )
    model.compile(
        keras.optimizers.Adam(0.01), ka.MaskedCrossentropy(), jit_compile=False
    )
    # Made once, before the first step: its graphs must read the weights anew.
    translator = ka.Translator(model, tokenizer, tokenizer, beam_size=2)
    untrained = translator(sources)
    best = tmp_path / "best.weights.h5"
    bleu = BleuCallback(translator, sources, targets, every=5, best=best, verbose=0)
    history = model.fit(batches, epochs=40, callbacks=[bleu], verbose=0)
    figures = history.history["val_bleu"]
    assert figures[0] < 50 and max(figures) == pytest.approx(100)
    assert untrained != targets

    model.set_weights([np.zeros(weight.shape) for weight in model.weights])
    assert translator(sources) != targets
    model.load_weights(best)
    assert translator(sources) == targets
