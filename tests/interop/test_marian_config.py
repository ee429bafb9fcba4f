"""What config.json says becomes settings, and what can not is named."""

import json

import pytest

from keras_attention.decoding.search_settings import SearchSettings
from keras_attention.interop.marian_config import (
    MarianConfig,
    generation_config,
    marian_config,
    read_generation,
    search_settings,
    unsaid_settings,
)
from keras_attention.interop.marian_vocabulary import MarianVocabulary
from keras_attention.models.transformer import Transformer
from keras_attention.special_tokens import PAD, START

VOCABULARY = MarianVocabulary(["</s>", "<unk>", "a", "b", "<pad>"])
CONFIG = {
    "model_type": "marian",
    "vocab_size": 5,
    "d_model": 8,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 12,
    "decoder_ffn_dim": 12,
    "activation_function": "swish",
    "scale_embedding": True,
    "pad_token_id": 4,
    "decoder_start_token_id": 4,
    "eos_token_id": 0,
}


def read(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**CONFIG, **changes}))
    return MarianConfig("load", path)


def test_the_settings_of_the_model(tmp_path):
    settings = read(tmp_path, dropout=0.2).transformer_settings(6, 6)
    model = Transformer(**settings)
    assert model.config["num_decoder_layers"] == 1
    assert model.config["num_heads"] == 4
    assert model.config["activation"] == "silu"
    assert model.config["dropout_rate"] == 0.2
    assert model.config["share_embeddings"]
    assert not model.config["interleaved_positions"]


def test_what_is_written_is_what_was_read(tmp_path):
    config = read(tmp_path, encoder_layers=1, max_position_embeddings=40)
    model = Transformer(**config.transformer_settings(6, 6))
    again = read(tmp_path, **marian_config(model, 5, 40))
    assert again.transformer_settings(6, 6) == config.transformer_settings(6, 6)
    assert again.max_positions == config.max_positions == 40


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model_type": "bart"}, "model_type='bart', but .* marian there"),
        ({"d_model": None}, "d_model=None, but .* a whole number there"),
        ({"decoder_ffn_dim": 9}, "decoder_ffn_dim=9, .* 12, as encoder_ffn_dim there"),
        ({"decoder_attention_heads": 2}, "decoder_attention_heads=2, .* 4, as encoder"),
        ({"decoder_start_token_id": 0}, "decoder_start_token_id=0, .* 4, as pad_token"),
        ({"normalize_before": True}, "normalize_before=True, .* false there"),
        ({"normalize_embedding": True}, "normalize_embedding=True, .* false there"),
        ({"activation_function": "tanh"}, "activation_function='tanh', .* swish, silu"),
    ],
    ids=str,
)
def test_what_can_not_be_taken_in_is_named(changes, message, tmp_path):
    with pytest.raises(ValueError, match=f"load: got the file .*json with {message}"):
        read(tmp_path, **changes)


@pytest.mark.parametrize("content", ["{", "[1]", "3"])
def test_a_file_without_settings_is_named(content, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="load: got the file .*config.json, but it"):
        MarianConfig("load", path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="it has no config.json"):
        MarianConfig("load", tmp_path / "config.json")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"vocab_size": 6}, "of which vocab_size would be 5, but .* says 6"),
        ({"eos_token_id": 2}, "of which eos_token_id would be 0, but .* says 2"),
        (
            {"pad_token_id": 3, "decoder_start_token_id": 3},
            "of which pad_token_id would be 4, but .* says 3",
        ),
    ],
    ids=str,
)
def test_a_vocabulary_of_another_model_is_named(changes, message, tmp_path):
    config = read(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        config.require_fitting(tmp_path / "vocab.json", VOCABULARY, "vocab_size")


def searched(**values):
    return search_settings({"bad_words_ids": [[4], [2]], **values}, VOCABULARY, 512)


def test_what_is_suppressed_keeps_its_share_of_the_probability():
    settings, forbidden = searched(num_beams=6, max_length=100, length_penalty=None)
    assert forbidden == (PAD,)
    assert settings["suppressed_tokens"] == (START, 4)
    assert SearchSettings(**settings) == SearchSettings(
        6, 1.0, 0.0, False, max_length=99, suppressed_tokens=(START, 4)
    )


def test_what_is_suppressed_has_no_share_where_the_rest_is_renormalized():
    settings, forbidden = searched(renormalize_logits=True, early_stopping="never")
    assert forbidden == (PAD, START, 4)
    assert settings["suppressed_tokens"] == ()
    assert settings["renormalize"]
    assert settings["beam_size"] == 1
    assert settings["max_length"] == 511
    assert settings["complete"]


@pytest.mark.parametrize("renormalized", [True, False])
def test_a_search_that_is_written_is_what_was_read(renormalized, tmp_path):
    values = {
        "num_beams": 3,
        "length_penalty": 0.4,
        "max_length": 30,
        "no_repeat_ngram_size": 2,
        "repetition_penalty": 1.5,
        "renormalize_logits": renormalized,
    }
    settings, forbidden = searched(**values)
    options = read(tmp_path).transformer_settings(6, 6)
    model = Transformer(**options, forbidden_tokens=forbidden)
    written = generation_config(SearchSettings(**settings), model, VOCABULARY, 512)
    assert search_settings(written, VOCABULARY, 512) == (settings, forbidden)
    assert unsaid_settings(SearchSettings(**settings), model) == []
    assert values.items() <= written.items()


def test_what_has_no_words_is_named():
    settings = SearchSettings(
        coverage_penalty=0.2, min_length=3, suppressed_tokens=(4,)
    )
    model = Transformer(6, 6, num_layers=1, d_model=8, num_heads=2, d_ff=12)
    assert unsaid_settings(settings, model) == [
        "length_offset",
        "complete",
        "coverage_penalty",
        "max_length",
        "min_length",
        "suppressed_tokens",
    ]


@pytest.mark.parametrize(
    "values, message",
    [
        ({"bad_words_ids": [[1, 2]]}, r"bad_words_ids=\[\[1, 2\]\], .* one token each"),
        ({"early_stopping": True}, "early_stopping=True, .* false or never"),
    ],
    ids=str,
)
def test_a_search_that_is_not_known_is_named(values, message, tmp_path):
    config = read(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=f"generation_config.json with {message}"):
        read_generation("load", tmp_path, config)


def test_an_old_folder_says_it_in_its_config(tmp_path):
    config = read(tmp_path, num_beams=6)
    assert read_generation("load", tmp_path, config)["num_beams"] == 6
