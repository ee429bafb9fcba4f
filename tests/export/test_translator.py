"""Sentences in, sentences out: in Python, saved and loaded, exported and served."""

import gc
import json
import os
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import keras_attention as ka
from keras_attention.special_tokens import END, PAD, START
from tests.export.conftest import random_translator, random_words

pytestmark = pytest.mark.tensorflow

# Nothing of the package is imported. Both loaders: a client's and a server's.
SERVE = """
import json, sys
import tensorflow as tf, tensorflow_text
folder, texts = sys.argv[1], json.load(sys.stdin)
client = tf.saved_model.load(folder).signatures["serving_default"]
answers = {"client": client(text=tf.constant(texts, tf.string))["text"].numpy()}
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    graph = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    signature = graph.signature_def["serving_default"]
    question = {signature.inputs["text"].name: texts}
    answers["server"] = session.run(signature.outputs["text"].name, question)
assert not any(name.startswith("keras_attention") for name in sys.modules)
answers = {road: [text.decode() for text in found] for road, found in answers.items()}
json.dump(answers, sys.stdout)
"""

STRANGE = [
    "",
    " ",
    "\n",
    "\x00",
    "a\x00b",
    "😀😀",
    "שלום",
    "\u202eabc",
    "한글",
    "ꙮ" * 5,
    "\ufeffabc",
    "a\u0301" * 7,
]


def serve(folder, texts):
    """Ask an export in a fresh process: {"client": answers, "server": answers}."""
    process = subprocess.run(
        [sys.executable, "-c", SERVE, str(folder)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"},
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_answers_depend_on_the_question(translator):
    words = random_words(20)
    assert len(set(translator(words))) > 10


def test_a_fresh_process_without_the_package_gives_the_same_answers(
    translator, exported
):
    texts = random_words(30) + STRANGE
    answers = translator(texts)
    assert serve(exported, texts) == {"client": answers, "server": answers}


def test_the_answers_of_a_mixed_precision_model_survive_the_export(tmp_path):
    translator = random_translator(dtype="mixed_bfloat16")
    words = random_words(10)
    translator.export(tmp_path / "1")
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    answers = served(text=tf.constant(words))["text"].numpy()
    assert [answer.decode() for answer in answers] == translator(words)


def test_every_signature_answers_through_both_loaders(translator, exported):
    """The answers of a client's loader and of a server's are the same, name by name."""
    texts = [*random_words(5, longest=20), "", "한글"]
    inputs = {"text": texts, "target": random_words(7, seed=1)}
    by_client = {
        name: signature(
            **{key: tf.constant(inputs[key]) for key in inputs_of(signature)}
        )
        for name, signature in tf.saved_model.load(str(exported)).signatures.items()
    }
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        served = tf.compat.v1.saved_model.load(session, ["serve"], str(exported))
        by_server = {
            name: session.run(
                {key: tensor.name for key, tensor in definition.outputs.items()},
                {t.name: inputs[key] for key, t in definition.inputs.items()},
            )
            for name, definition in served.signature_def.items()
            if name in by_client
        }
    assert set(by_server) == {
        "serving_default",
        "greedy",
        "n_best",
        "score",
        "attention",
    }
    for name, outputs in by_client.items():
        assert set(outputs) == set(by_server[name])
        for key, values in outputs.items():
            if values.dtype == tf.string:
                assert values.numpy().tolist() == by_server[name][key].tolist()
            else:
                np.testing.assert_allclose(values, by_server[name][key], rtol=1e-5)


def inputs_of(signature):
    return signature.structured_input_signature[1]


def test_what_the_signatures_return_is_what_the_translator_returns(
    translator, exported
):
    texts = random_words(9, longest=20)
    served = tf.saved_model.load(str(exported)).signatures
    several = served["n_best"](text=tf.constant(texts))
    for row, found in enumerate(translator.n_best(texts)):
        assert [one.text.encode() for one in found] == several["text"].numpy()[
            row
        ].tolist()
        np.testing.assert_allclose(
            [one.score for one in found], several["scores"][row], rtol=1e-4
        )
    targets = [found[1].text for found in translator.n_best(texts)]
    scores = served["score"](text=tf.constant(texts), target=tf.constant(targets))
    expected = translator.score(texts, targets)
    np.testing.assert_allclose(scores["scores"], expected.scores, rtol=1e-4)
    np.testing.assert_allclose(scores["log_probs"], expected.log_probs, rtol=1e-4)


def test_an_unknown_format_is_refused_and_nothing_is_written(translator, tmp_path):
    with pytest.raises(ValueError, match="dtype='float64'.*'int8'"):
        translator.export(tmp_path / "1", dtype="float64")
    assert not (tmp_path / "1").exists()


def test_translations_begin_as_they_are_told(translator):
    texts = random_words(12)
    prefixes = ["", "ab", "z", *random_words(9, longest=4, seed=2)]
    answers = translator(texts, prefixes=prefixes, batch_size=5)
    assert all(map(str.startswith, answers, prefixes))
    assert answers[0] == translator(texts[:1])[0]


def test_n_best_translations_are_ranked_and_the_first_is_the_translation(translator):
    texts = [*random_words(6), ""]
    found = translator.n_best(texts, 2)
    assert [one[0].text for one in found[:-1]] == translator(texts[:-1])
    assert found[-1] == []
    for best, second in found[:-1]:
        assert best.score >= second.score
        assert best.log_prob < 0


def test_samples_repeat_with_their_seed_and_differ_with_another(translator):
    texts = random_words(8)
    first = translator.sample(texts, seed=1)
    assert translator.sample(texts, seed=1) == first
    assert translator.sample(texts, seed=2) != first
    greedy = translator.sample(texts, top_k=1, seed=3)
    assert greedy == translator.sample(texts, top_k=1, seed=4)


def test_alignments_choose_a_layer_and_a_head(translator):
    [found, nothing] = translator.align(["keras", ""])
    assert nothing is None
    assert found.text == translator(["keras"])[0]
    assert found.source_pieces == [*"keras", "</s>"]
    assert found.weights.shape == (len(found.target_pieces), 6)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, atol=1e-5)
    each = [
        translator.align(["keras"], layer, head)[0].weights
        for layer in range(2)
        for head in range(3)
    ]
    np.testing.assert_allclose(np.mean(each, axis=0), found.weights, atol=1e-6)
    [of_layer] = translator.align(["keras"], layer=1)
    np.testing.assert_allclose(np.mean(each[3:], axis=0), of_layer.weights, atol=1e-6)


def test_attention_maps_show_every_layer_and_head(translator):
    short, nothing, long = translator.attention_maps(["keras", "", "attention"])
    assert nothing is None
    assert long.source_pieces == [*"attention", "</s>"]
    source, target = len(short.source_pieces), len(short.target_pieces)
    assert short.encoder.shape == (2, 3, source, source)
    assert short.decoder.shape == (2, 3, target, target)
    assert not np.triu(short.decoder, 1).any()
    [aligned] = translator.align(["keras"])
    assert aligned.target_pieces == short.target_pieces
    for kind in short.kinds:
        np.testing.assert_allclose(getattr(short, kind).sum(-1), 1.0, atol=1e-5)
    # Alone or beside a longer one: padding changes nothing.
    np.testing.assert_allclose(short.matrix("cross"), aligned.weights, atol=1e-5)


def test_the_attention_of_an_export_is_read_as_maps(translator, exported):
    served = tf.saved_model.load(str(exported)).signatures["attention"]
    outputs = served(text=tf.constant(["attention", "keras"]))
    for index, aligned in enumerate(translator.align(["attention", "keras"])):
        maps = ka.AttentionMaps.from_signature(outputs, index)
        assert list(maps.rows("cross")) == aligned.target_pieces
        assert list(maps.columns("cross")) == aligned.source_pieces
        np.testing.assert_allclose(maps.cross[0, 0], aligned.weights, atol=1e-5)


@pytest.mark.parametrize(
    "ask, message",
    [
        (lambda t: t.n_best(["a"], 4), "n=4.*beam_size=3.*from 1 to 3"),
        (lambda t: t.n_best(["a"], 0), "n=0"),
        (lambda t: t.score(["a", "b"], ["c"]), "got 1 targets for 2 texts"),
        (lambda t: t(["a", "b"], prefixes=["c"]), "got 1 prefixes for 2 texts"),
        (lambda t: t(["a"], prefixes=["b" * 7]), "7 tokens at index 0.*have 7 at most"),
        (lambda t: t.align(["a"], layer=2), "layer=2.*from 0 to 1"),
        (lambda t: t.align(["a"], head=-1), "head=-1.*from 0 to 2"),
        (lambda t: t.sample(["a"], temperature=0.0), "temperature=0.0"),
        (lambda t: t.sample(["a"], top_p=1.5), "top_p=1.5"),
        (lambda t: t.sample(["a"], top_k=34), "top_k=34"),
        (lambda t: t(["a"], batch_size=0), "batch_size=0"),
    ],
)
def test_what_can_not_be_asked_is_refused(translator, ask, message):
    with pytest.raises(ValueError, match=message):
        ask(translator)


def test_an_empty_batch_is_answered_by_an_empty_one(translator, exported):
    assert translator([]) == []
    served = tf.saved_model.load(str(exported)).signatures["serving_default"]
    assert served(text=tf.constant([], tf.string))["text"].shape == (0,)


def test_invalid_utf8_gets_an_answer_from_the_export(exported):
    served = tf.saved_model.load(str(exported)).signatures["serving_default"]
    alone = served(text=tf.constant(["abc"]))["text"].numpy()[0]
    answers = served(text=tf.constant([b"\xff\xfe\x80", b"abc", b"\xc3"]))[
        "text"
    ].numpy()
    assert answers[1] == alone
    for answer in answers:
        answer.decode()


def test_the_export_refuses_what_is_too_long_and_says_so(exported):
    served = tf.saved_model.load(str(exported)).signatures["serving_default"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="max_source_length=40"):
        served(text=tf.constant(["a", "a" * 100_000]))
    assert served(text=tf.constant(["a" * 39]))["text"].shape == (1,)


def test_the_graph_holds_only_operations_that_a_server_has(exported):
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    operations = {node.op for node in graph.node}
    operations |= {
        node.op for function in graph.library.function for node in function.node_def
    }
    assert "While" in operations or "StatelessWhile" in operations
    assert not {op for op in operations if op.startswith("Xla") or "PyFunc" in op}


def test_each_sentence_is_answered_as_if_it_were_alone(translator):
    words = random_words(25, longest=30)
    together = translator(words, batch_size=7)
    assert together == [translator([word])[0] for word in words]


def test_answers_come_in_the_order_of_the_questions(translator):
    words = random_words(40, longest=30)
    order = np.random.default_rng(0).permutation(len(words))
    shuffled = translator([words[i] for i in order], batch_size=8)
    assert shuffled == [translator(words, batch_size=8)[i] for i in order]


def test_an_answer_is_no_longer_than_its_source_allows():
    translator = random_translator(beam_size=1, max_length=4)
    # Four tokens, the last of them END; each of the others is a letter.
    answers = translator(random_words(30))
    assert max(map(len, answers)) <= 3
    assert any(answers)


def test_calls_of_all_lengths_and_batch_sizes_trace_once(translator):
    translator(["a"])
    words = random_words(60, longest=39)
    for batch in range(1, 30):
        translator(words[: 1 + batch % 5] + [words[batch]])
    assert translator._best.experimental_get_tracing_count() == 1


def test_a_wider_beam_never_finds_a_less_likely_answer():
    words = random_words(12)
    scores = []
    for beam_size in (1, 30):
        translator = random_translator(
            beam_size, length_penalty=0.0, max_length=(1.0, 3)
        )
        answers = translator(words)
        scores.append(
            [log_probability(translator, *pair) for pair in zip(words, answers)]
        )
    assert np.all(np.array(scores[1]) >= np.array(scores[0]) - 1e-4)
    assert np.any(np.array(scores[1]) > np.array(scores[0]) + 1e-4)


def log_probability(translator, source, answer):
    """log P of an answer by the whole model at once, START and PAD left out."""
    source_ids, target = (
        translator.source_tokenizer.tokenize([text]).numpy()[0]
        for text in (source, answer)
    )
    ids = {
        "source_ids": np.array([[*source_ids, END]]),
        "target_ids": np.array([[START, *target]], "int32"),
    }
    logits = keras.ops.convert_to_numpy(translator.model(ids))[0].astype("float64")
    logits[:, [PAD, START]] = -np.inf
    log_probs = logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))
    return sum(row[token] for row, token in zip(log_probs, [*target, END]))


def test_saved_and_loaded_in_a_fresh_process_it_answers_the_same(translator, tmp_path):
    words = random_words(10) + STRANGE
    translator.save(tmp_path / "saved")
    program = (
        "import json, sys, keras_attention as ka\n"
        "translator = ka.Translator.load(sys.argv[1])\n"
        "answers = translator(json.load(sys.stdin))\n"
        "print(json.dumps([answers, translator.get_config()]))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "saved")],
        input=json.dumps(words),
        capture_output=True,
        text=True,
        check=True,
    )
    answers, settings = json.loads(process.stdout.splitlines()[-1])
    assert answers == translator(words)
    assert settings == json.loads(json.dumps(translator.get_config()))


def test_loaded_weights_are_equal_to_the_bit(translator, tmp_path):
    translator.save(tmp_path)
    loaded = ka.Translator.load(tmp_path)
    pairs = list(zip(translator.model.weights, loaded.model.weights, strict=True))
    assert all(np.array_equal(old.numpy(), new.numpy()) for old, new in pairs)


def test_a_failed_export_leaves_the_old_one(translator, tmp_path, monkeypatch):
    translator.export(tmp_path / "1")
    old = (tmp_path / "1" / "saved_model.pb").read_bytes()

    def fail(module, folder, signatures):
        (tf.io.gfile.GFile(f"{folder}/saved_model.pb", "w")).write("half")
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        translator.export(tmp_path / "1")
    assert (tmp_path / "1" / "saved_model.pb").read_bytes() == old
    assert os.listdir(tmp_path) == ["1"]


def test_an_export_does_not_replace_a_folder_of_other_things(translator, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds other things"):
        translator.export(tmp_path)
    with pytest.raises(FileExistsError, match="holds other things"):
        translator.save(tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]


@pytest.mark.parametrize(
    "missing", ["translator.json", "model.keras", "source_tokenizer.model"]
)
def test_a_folder_that_lacks_a_file_is_named(translator, tmp_path, missing):
    translator.save(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {missing}"):
        ka.Translator.load(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.*no translator.json"):
        ka.Translator.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "broken", ["translator.json", "model.keras", "target_tokenizer.model"]
)
def test_a_half_written_file_is_named(translator, tmp_path, broken):
    translator.save(tmp_path)
    whole = (tmp_path / broken).read_bytes()
    (tmp_path / broken).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=broken):
        ka.Translator.load(tmp_path)


def test_a_folder_of_another_format_is_refused(translator, tmp_path):
    translator.save(tmp_path)
    settings = json.loads((tmp_path / "translator.json").read_text())
    (tmp_path / "translator.json").write_text(json.dumps({**settings, "format": 7}))
    with pytest.raises(ValueError, match="format 7.*reads format 2"):
        ka.Translator.load(tmp_path)


def test_a_tokenizer_of_another_size_is_refused(translator):
    other = ka.SubwordTokenizer.train(["abc"], model_type="char")
    good = translator.source_tokenizer
    with pytest.raises(ValueError, match="source_tokenizer of 7 pieces.*=33"):
        ka.Translator(translator.model, other, good)
    with pytest.raises(ValueError, match="target_tokenizer of 7 pieces.*=33"):
        ka.Translator(translator.model, good, other)


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"beam_size": 0}, "beam_size=0"),
        ({"length_penalty": -1.0}, "length_penalty=-1"),
        ({"max_source_length": 0}, "max_source_length=0"),
        ({"max_length": 0}, "max_length=0.*Use 1 or more"),
        ({"max_length": 4, "min_length": 5}, "min_length=5 and max_length=4"),
        ({"beam_size": 34}, "beam_size=34 for a vocabulary of 33"),
        ({"suppressed_tokens": (5, 33)}, r"suppressed_tokens=\(5, 33\).*Leave \[33\]"),
    ],
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        random_translator(**setting)


def test_one_string_is_refused(translator):
    with pytest.raises(TypeError, match=r"got one str.*\[text\]"):
        translator("a dog")


def test_what_is_no_string_is_refused_and_named(translator):
    with pytest.raises(TypeError, match="got int at index 1"):
        translator(["a", 7])


def test_half_a_surrogate_pair_is_refused(translator):
    with pytest.raises(ValueError, match="surrogate"):
        translator(["a\ud800"])


def test_a_text_that_is_too_long_is_refused_and_named(translator):
    with pytest.raises(ValueError, match="100001 tokens at index 1.*=40"):
        translator(["a", "a" * 100_000])


def test_progress_is_shown_on_demand(translator, capsys):
    translator(random_words(5))
    assert capsys.readouterr().out == ""
    translator(random_words(5), verbose=1)
    assert "5/5" in capsys.readouterr().out


def test_another_backend_is_refused_with_the_way_out():
    program = "import keras_attention as ka; ka.Translator(None, None, None)"
    process = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert "Translator: got the backend 'jax'" in process.stderr
    assert "KERAS_BACKEND=tensorflow" in process.stderr


def test_a_translator_that_is_gone_leaves_no_model_behind():
    translator = random_translator()
    translator.n_best(["abc"])
    translator.sample(["abc"], seed=1)
    model = weakref.ref(translator.model)
    del translator
    gc.collect()
    assert model() is None
