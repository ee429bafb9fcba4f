"""A description says what is there, and is JSON."""

import json

import pytest

from keras_attention.runs.description import describe

pytestmark = pytest.mark.tensorflow


def test_a_description_is_of_the_model_that_is_there(trained):
    translator = trained[2]
    found = json.loads(json.dumps(describe(translator)))
    assert found["parameters"] == translator.model.count_params()
    assert sum(one["parameters"] for one in found["layers"]) == found["parameters"]
    assert found["model"]["d_model"] == 8
    assert found["model"]["dtype"] == "float32"
    assert found["special_tokens"] == {"PAD": 0, "UNKNOWN": 1, "START": 2, "END": 3}
    assert found["search"]["beam_size"] == 4
    source = found["vocabulary"]["source"]
    assert source["size"] == translator.source_tokenizer.vocab_size
    assert source["pieces"][:4] == ["<pad>", "<unk>", "<s>", "</s>"]
