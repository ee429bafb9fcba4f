import numpy as np
import pytest

from keras_attention.models.attention_maps import AttentionMaps

SOURCE, TARGET = ["a", "dog", "."], ["ein", "Hund"]
GENERATOR = np.random.default_rng(0)
CROSS = GENERATOR.random((2, 5, 2, 3), "float32")
SIGNATURE = {
    "text": np.array([b"ein Hund", b"Hund"]),
    "source_pieces": np.array([[b"a", b"dog", b"."], [b"dog", b".", b""]]),
    "target_pieces": np.array([[b"ein", b"Hund"], [b"H\xff", b""]]),
    "attention": GENERATOR.random((2, 2, 3), "float32"),
}


def test_rows_look_at_columns():
    maps = AttentionMaps(
        SOURCE, TARGET, np.ones((2, 5, 3, 3)), np.ones((2, 5, 2, 2)), CROSS
    )
    assert maps.kinds == ("encoder", "decoder", "cross")
    assert maps.rows("cross") == ("ein", "Hund")
    assert maps.columns("cross") == maps.rows("encoder") == ("a", "dog", ".")
    # To write a piece, the decoder sees START and the pieces before.
    assert maps.rows("decoder") == ("ein", "Hund")
    assert maps.columns("decoder") == ("<s>", "ein")


def test_a_matrix_is_of_one_head_or_the_mean():
    maps = AttentionMaps(SOURCE, TARGET, cross=CROSS)
    np.testing.assert_array_equal(maps.matrix("cross", 1, 4), CROSS[1, 4])
    for layer, head, expected in (
        (None, None, CROSS.mean(axis=(0, 1))),
        (1, None, CROSS[1].mean(axis=0)),
        (None, 4, CROSS[:, 4].mean(axis=0)),
    ):
        np.testing.assert_allclose(
            maps.matrix("cross", layer, head), expected, rtol=1e-6
        )


def test_the_answers_of_a_signature_are_read_without_padding():
    first = AttentionMaps.from_signature(SIGNATURE)
    assert first.kinds == ("cross",)
    np.testing.assert_array_equal(first.cross[0, 0], SIGNATURE["attention"][0])
    second = AttentionMaps.from_signature(SIGNATURE, index=1)
    assert second.rows("cross") == ("H\ufffd",)
    assert second.columns("cross") == ("dog", ".")
    np.testing.assert_array_equal(second.cross[0, 0], SIGNATURE["attention"][1][:1, :2])


def test_the_answers_of_a_server_in_json_are_read():
    answers = {
        name: SIGNATURE[name].astype(str).tolist() if name.endswith("pieces") else value
        for name, value in SIGNATURE.items()
        if not name.endswith("pieces") or name == "source_pieces"
    }
    answers["target_pieces"] = [["ein", "Hund"], ["Hund", ""]]
    answers["attention"] = SIGNATURE["attention"].tolist()
    assert AttentionMaps.from_signature(answers).rows("cross") == ("ein", "Hund")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: AttentionMaps(SOURCE, TARGET), "AttentionMaps: got no map"),
        (
            lambda: AttentionMaps(SOURCE, SOURCE, cross=CROSS),
            r"got cross of shape \(2, 5, 2, 3\), but 3 pieces that look at 3",
        ),
        (
            lambda: AttentionMaps(SOURCE, TARGET, cross=CROSS[0]),
            r"got cross of shape \(5, 2, 3\)",
        ),
        (
            lambda: AttentionMaps(SOURCE, [], cross=CROSS[:, :, :0]),
            r"0 pieces that look at 3",
        ),
        (
            lambda: AttentionMaps.from_signature({"text": []}),
            r"from_signature: got the outputs \['text'\], but no source_pieces, no",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
