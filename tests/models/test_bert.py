"""The encoder sees both sides, its masks hold, and it is saved whole."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.models.bert import Bert

SIZES = {"num_layers": 2, "d_model": 12, "num_heads": 3, "d_ff": 20}


def make(**settings):
    return Bert(31, **{**SIZES, "max_length": 16, **settings})


def run(bert, token_ids, segment_ids=None):
    token_ids = np.asarray(token_ids)
    segment_ids = 0 * token_ids if segment_ids is None else np.asarray(segment_ids)
    inputs = {"token_ids": token_ids, "segment_ids": segment_ids}
    return ops.convert_to_numpy(bert(inputs))


def test_every_token_sees_both_sides():
    bert = make()
    before = run(bert, [[2, 5, 6, 7, 3]])
    after = run(bert, [[2, 5, 9, 7, 3]])
    assert (np.abs(after - before).max(axis=-1) > 1e-4).all()


def test_padding_changes_nothing_before_it():
    bert = make()
    ids = [[2, 5, 6, 3]]
    longer = [[2, 5, 6, 3, 0, 0, 0]]
    np.testing.assert_allclose(run(bert, longer)[:, :4], run(bert, ids), atol=1e-5)


def test_positions_and_segments_matter():
    bert = make()
    same = run(bert, [[5, 5, 5]])
    assert np.abs(same[0, 0] - same[0, 1]).max() > 1e-3
    other = run(bert, [[5, 5, 5]], [[0, 1, 1]])
    assert np.abs(other - same).max() > 1e-3


def test_the_embeddings_are_as_in_the_paper():
    """Without a layer on top: the normalised sum of three vectors."""
    bert = make(num_layers=1)
    x = keras.Model(bert.inputs, bert.get_layer("embedding_norm").output)
    token, position, segment = (
        ops.convert_to_numpy(layer.weights[0])
        for layer in (bert.embedding, bert.position, bert.segment)
    )
    found = run(x, [[2, 7, 3]], [[0, 0, 1]])[0]
    total = token[[2, 7, 3]] + position[:3] + segment[[0, 0, 1]]
    mean, deviation = total.mean(-1, keepdims=True), total.std(-1, keepdims=True)
    np.testing.assert_allclose(found, (total - mean) / deviation, atol=1e-4)


def test_a_file_holds_all_of_it(tmp_path):
    bert = make()
    bert.save(tmp_path / "bert.keras")
    loaded = keras.saving.load_model(tmp_path / "bert.keras")
    assert loaded.get_config() == bert.get_config()
    ids = [[2, 5, 6, 3]]
    np.testing.assert_array_equal(run(loaded, ids), run(bert, ids))


def test_bert_base_has_its_published_size():
    """110 M parameters (Devlin et al., 2019, section 3), the pooler's 0.6 M apart."""
    d, f, v = 768, 3072, 30522
    layer = 4 * d * (d + 1) + 2 * d * f + f + d + 4 * d
    expected = (v + 512 + 2) * d + 2 * d + 12 * layer
    assert expected == 108_891_648
    small = make()
    d, f = 12, 20
    layer = 4 * d * (d + 1) + 2 * d * f + f + d + 4 * d
    assert small.count_params() == (31 + 16 + 2) * d + 2 * d + 2 * layer


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_heads": 5}, "d_model=12 and num_heads=5"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"num_segments": 0}, "num_segments=0"),
        ({"dropout_rate": 1.0}, "dropout_rate=1.0"),
    ],
)
def test_sizes_that_can_not_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=f"Bert: got .*{message}"):
        make(**settings)


def test_more_tokens_than_positions_are_refused():
    with pytest.raises(ValueError, match="16"):
        run(make(), [[5] * 17])
