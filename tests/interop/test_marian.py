"""Marian's folders in and out: the same numbers and texts as transformers gives."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import marian_models
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.export.sentence_graph import with_end
from keras_attention.interop.marian import load_marian, save_marian
from keras_attention.interop.marian_vocabulary import MarianVocabulary
from keras_attention.special_tokens import PAD, START, UNKNOWN
from tests.export.test_translator import serve

pytestmark = pytest.mark.tensorflow
pytest.importorskip("safetensors", reason="Marian's weights need safetensors")

HERE = pathlib.Path(__file__).parent
FIXTURE = HERE / "marian_fixture"
# The Python that has transformers; it may be another one than that of the tests.
PYTHON = os.environ.get("MARIAN_PYTHON", sys.executable)


def missing(*names):
    """Which packages that Python has not."""
    program = "import importlib.util, sys; print(*filter(lambda name: not "
    program += "importlib.util.find_spec(name), sys.argv[1:]))"
    return subprocess.check_output([PYTHON, "-c", program, *names], text=True).split()


MISSING = missing("torch", "transformers", "sentencepiece")
needs_transformers = pytest.mark.skipif(
    bool(MISSING), reason=f"compares with transformers; not installed: {MISSING}"
)

# Each with its own way of searching. The vocabularies differ where they are separate.
MODELS = {
    "plain": {},
    "gelu, unscaled, greedy": {
        "activation_function": "gelu",
        "scale_embedding": False,
        "end_bias": 1.0,
        "generation": {"num_beams": 1},
    },
    "deep encoder, relu": {
        "encoder_layers": 3,
        "decoder_layers": 1,
        "activation_function": "relu",
        "end_bias": 1.0,
        "generation": {"num_beams": 6, "length_penalty": 0.5},
    },
    "separate vocabularies": {
        "separate": True,
        "end_bias": 1.0,
        "generation": {"renormalize_logits": True, "length_penalty": 2.0},
    },
    "wide, one head": {
        "d_model": 24,
        "encoder_ffn_dim": 40,
        "decoder_ffn_dim": 40,
        "encoder_attention_heads": 1,
        "decoder_attention_heads": 1,
        "generation": {"num_beams": 6, "renormalize_logits": True},
    },
    "short": {"generation": {"max_length": 6, "length_penalty": 0.0}},
}
every_model = pytest.mark.parametrize("name", MODELS)


def ask_transformers(jobs):
    """Do the jobs in a process of their own; {name: what transformers found}."""
    process = subprocess.run(
        [PYTHON, "-W", "ignore", marian_models.__file__],
        input=json.dumps(list(jobs.values())),
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return {name: read_expected(job["folder"]) for name, job in jobs.items()}


def read_expected(folder):
    expected = pathlib.Path(folder, "expected.json")
    return {"folder": folder, **json.loads(expected.read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of each model, and what transformers says of it."""
    root = tmp_path_factory.mktemp("marian")
    texts = [*marian_models.TEXTS, *marian_models.random_texts(6)]
    jobs = {
        name: {
            "folder": str(root / name),
            "make": {"seed": seed, **options},
            "texts": texts,
            "searches": [{}],
        }
        for seed, (name, options) in enumerate(MODELS.items())
    }
    jobs["plain"]["searches"] += [{"num_beams": 1}, {"num_beams": 6}]
    return ask_transformers(jobs)


def vocabularies(folder):
    paths = [pathlib.Path(folder, name) for name in ("vocab.json", "target_vocab.json")]
    found = [MarianVocabulary.read("test", path) for path in paths if path.exists()]
    return found[0], found[-1]


def our_ids(ids, vocabulary):
    return np.vectorize(vocabulary.our_id)(ids).astype("int32")


def our_logits(translator, expected):
    """The model's logits for the same ids, in Marian's order: (B, T, V)."""
    source, target = vocabularies(expected["folder"])
    source_ids = our_ids(expected["source_ids"], source)
    logits = translator.model(
        {
            "source_ids": np.where(source_ids == START, 0, source_ids),  # padding
            "target_ids": our_ids(expected["target_ids"], target),
        }
    )
    by_token = np.moveaxis(ops.convert_to_numpy(logits), -1, 0)
    return np.moveaxis(target.to_marian(by_token), 0, -1)


def assert_equal_logits(translator, expected, atol=1e-4):
    logits = [our_logits(translator, expected), np.array(expected["logits"])]
    if START in translator.model.config["forbidden_tokens"]:
        logits = [values[..., :-1] for values in logits]  # <pad>, which has no share
    np.testing.assert_allclose(*logits, atol=atol)


def assert_equal_answers(folder, expected):
    for search in expected["searches"]:
        options = dict(search["options"])
        settings = {"beam_size": options["num_beams"]} if options else {}
        assert load_marian(folder, **settings)(expected["texts"]) == search["answers"]


def assert_equal_weights(one, other):
    assert [w.path for w in one.weights] == [w.path for w in other.weights]
    for mine, theirs in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(mine, theirs)


@needs_transformers
@every_model
def test_ids_and_logits_are_those_of_transformers(made, name):
    expected = made[name]
    translator = load_marian(expected["folder"])
    source, _ = vocabularies(expected["folder"])
    ids = with_end(translator.source_tokenizer.tokenize(expected["texts"]))
    theirs = our_ids(expected["source_ids"], source)
    assert ids.numpy().tolist() == np.where(theirs == START, 0, theirs).tolist()
    assert_equal_logits(translator, expected)


@needs_transformers
@every_model
def test_the_search_finds_what_transformers_finds(made, name):
    expected = made[name]
    assert_equal_answers(expected["folder"], expected)
    assert len(set(expected["searches"][0]["answers"])) > 2


@needs_transformers
@every_model
def test_in_out_and_in_again_gives_equal_weights(made, name, tmp_path):
    translator = load_marian(made[name]["folder"])
    save_marian(translator, tmp_path / "out")
    again = load_marian(tmp_path / "out")
    assert_equal_weights(again.model, translator.model)
    assert again.get_config() == translator.get_config()
    assert again.model.get_config() == translator.model.get_config()
    for side in ("source_tokenizer", "target_tokenizer"):
        one, other = getattr(again, side), getattr(translator, side)
        assert one.vocabulary == other.vocabulary
        assert one.model_proto == other.model_proto


def random_translator(**options):
    """As one trained here: alternating sinusoid, no biases, a START of its own."""
    lines = marian_models.KOREAN + marian_models.ENGLISH
    train = ka.SubwordTokenizer.train
    source = train(lines, vocab_size=60, model_type="bpe", normalization="identity")
    target = source
    if not options.get("share_embeddings"):
        target = train(lines[4:], 45, model_type="bpe", normalization="identity")
    sizes = {"num_layers": 2, "d_model": 16, "num_heads": 4, "d_ff": 24}
    # Without UNKNOWN, which is written in another way there.
    forbidden = {"forbidden_tokens": (PAD, UNKNOWN, START)}
    model = ka.Transformer(
        source.vocab_size, target.vocab_size, **{**sizes, **forbidden, **options}
    )
    rng = np.random.default_rng(3)
    for weight in model.trainable_weights:
        noise = rng.normal(size=weight.shape, scale=0.9 if weight.ndim == 2 else 0.3)
        weight.assign_add(noise)
    limits = {"max_length": 15, "max_source_length": 40, "no_repeat_ngram_size": 2}
    search = {"length_offset": 0.0, "length_penalty": 1.0, "complete": False}
    search |= {"beam_size": 4, "renormalize": True}
    return ka.Translator(model, source, target, **limits, **search)


def trained_on(folder):
    """A translator of a folder, with other weights than it has there."""
    translator = load_marian(folder)
    rng = np.random.default_rng(7)
    for weight in translator.model.trainable_weights:
        weight.assign_add(rng.normal(size=weight.shape, scale=0.05))
    return translator


@needs_transformers
def test_transformers_says_of_what_is_written_what_the_translator_says(made, tmp_path):
    translators = {
        "trained here": random_translator(share_embeddings=True),
        "two vocabularies": random_translator(activation="gelu"),
        "trained on": trained_on(made["plain"]["folder"]),
    }
    jobs = {}
    for name, translator in translators.items():
        save_marian(translator, tmp_path / name)
        texts = marian_models.KOREAN + marian_models.ENGLISH
        job = {"folder": str(tmp_path / name), "texts": texts, "searches": [{}]}
        jobs[name] = job
    for name, expected in ask_transformers(jobs).items():
        translator, again = translators[name], load_marian(tmp_path / name)
        # With weights as large as these, transformers' own float32 and float64 differ
        # by 3e-4.
        assert_equal_logits(again, expected, atol=1e-3)
        [search] = expected["searches"]
        answers = [answer.strip() for answer in translator(expected["texts"])]
        assert answers == search["answers"], name
        assert len(set(search["answers"])) > 2


@needs_transformers
@pytest.mark.skipif(bool(missing("ctranslate2")), reason="compares with ctranslate2")
def test_ctranslate2_says_of_what_is_written_what_the_translator_says(tmp_path):
    translator = random_translator(share_embeddings=True)
    save_marian(translator, tmp_path / "out")
    texts = marian_models.KOREAN + marian_models.ENGLISH
    jobs = [{"folder": str(tmp_path / "out"), "texts": texts, "ctranslate2": True}]
    [found] = ask_transformers(dict(enumerate(jobs))).values()
    greedy = ka.Translator(
        translator.model,
        translator.source_tokenizer,
        translator.target_tokenizer,
        **{**translator.get_config(), "beam_size": 1},
    )
    assert [answer.strip() for answer in greedy(texts)] == found["answers"]


def test_the_fixture_gives_the_numbers_that_transformers_gave():
    expected = read_expected(FIXTURE)
    assert_equal_logits(load_marian(FIXTURE), expected)
    assert_equal_answers(FIXTURE, expected)


def test_what_the_folder_says_of_the_search_can_be_said_otherwise():
    translator = load_marian(FIXTURE, beam_size=2, max_source_length=9)
    assert translator.settings.beam_size == 2
    assert translator.settings.length_offset == 0
    assert translator.settings.max_length == 19
    assert translator.max_source_length == 9
    assert load_marian(FIXTURE).max_source_length == 64


def test_a_dtype_policy_is_taken():
    model = load_marian(FIXTURE, dtype="mixed_bfloat16").model
    assert model.compute_dtype == "bfloat16"


def test_a_model_is_trained_on_saved_loaded_and_served(tmp_path):
    """On: from a folder of Marian's to a fine-tuned model in a server."""
    translator = load_marian(FIXTURE, beam_size=2, max_length=9)
    sources, targets = marian_models.KOREAN, marian_models.ENGLISH
    pairs = ka.translation_dataset(
        sources,
        targets,
        translator.source_tokenizer,
        translator.target_tokenizer,
        batch_tokens=200,
        max_length=40,
    )
    translator.model.compile(keras.optimizers.Adam(0.01), ka.MaskedCrossentropy())
    losses = translator.model.fit(pairs, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    answers = translator(sources)
    translator.save(tmp_path / "saved")
    loaded = ka.Translator.load(tmp_path / "saved")
    assert_equal_weights(loaded.model, translator.model)
    assert loaded.get_config() == translator.get_config()
    assert loaded.target_tokenizer.vocabulary == translator.target_tokenizer.vocabulary
    translator.export(tmp_path / "served" / "1")
    served = serve(tmp_path / "served" / "1", sources)
    assert served == {"client": answers, "server": answers}


@pytest.fixture
def folder(tmp_path):
    """A copy of the fixture, to spoil."""
    return pathlib.Path(shutil.copytree(FIXTURE, tmp_path / "opus-mt-ko-en"))


@pytest.mark.parametrize(
    "name", ["config.json", "source.spm", "target.spm", "vocab.json"]
)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    message = rf"load_marian: got the folder .*opus-mt-ko-en, but it has no {name}"
    with pytest.raises(FileNotFoundError, match=message):
        load_marian(folder)


def test_missing_weights_are_named(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="no model.safetensors and no pytorch"):
        load_marian(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "source.spm", "vocab.json"])
def test_a_file_cut_short_is_named(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=rf"load_marian: got the file .*{name}"):
        load_marian(folder)


def change_json(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_vocabulary_that_does_not_fit_is_named(folder):
    change_json(folder / "config.json", vocab_size=5)
    message = r"vocab.json, of which vocab_size would be \d+, but .*config.json says 5"
    with pytest.raises(ValueError, match=message):
        load_marian(folder)


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    translator = load_marian(FIXTURE)
    save_marian(translator, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def fail(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr("keras_attention.interop.marian.write_tensors", fail)
    with pytest.raises(OSError, match="no space left"):
        save_marian(translator, tmp_path / "out")
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert after == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_other_things_is_not_replaced(tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(FileExistsError, match="save_marian: got the path .*diary.txt"):
        save_marian(load_marian(FIXTURE), tmp_path)


@pytest.mark.parametrize("kind", ["RecurrentSeq2Seq", "Ensemble"])
def test_what_is_no_transformer_is_refused(kind, tmp_path):
    tokenizer = ka.SubwordTokenizer.train(["abc"], model_type="char")
    size = tokenizer.vocab_size
    model = ka.RecurrentSeq2Seq(size, size, num_layers=1, d_model=4)
    model = model if kind == "RecurrentSeq2Seq" else ka.Ensemble([model])
    translator = ka.Translator(model, tokenizer, tokenizer)
    with pytest.raises(TypeError, match=f"save_marian: got .* of type {kind}, .*each"):
        ka.save_marian(translator, tmp_path / "marian")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options, message",
    [
        ({"norm_first": True}, "norm_first=True, but Marian's format knows only False"),
        ({"activation": "tanh"}, "activation='tanh', .* 'gelu', 'relu', 'silu'"),
    ],
    ids=str,
)
def test_what_marian_can_not_say_is_refused(options, message, tmp_path):
    translator = random_translator(share_embeddings=True, **options)
    with pytest.raises(ValueError, match=f"save_marian: got a model with {message}"):
        save_marian(translator, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_search_that_marian_can_not_say_is_warned_of(tmp_path):
    translator = random_translator(share_embeddings=True)
    other = ka.Translator(
        translator.model, translator.source_tokenizer, translator.target_tokenizer
    )
    message = "no words for the translator's length_offset, complete, max_length"
    with pytest.warns(UserWarning, match=message):
        save_marian(other, tmp_path / "out")
    again = load_marian(tmp_path / "out")
    assert again.settings.complete
    assert again.max_source_length == 512 + 50 + 1
