"""Settings become options, and options settings."""

import argparse

import pytest

from keras_attention_cli.settings_options import add_settings, settings_given
from keras_attention_cli.tune import read_range, read_value


def parse(*arguments):
    parser = argparse.ArgumentParser()
    add_settings(parser, ("data", "text", "model", "training", "decoding"))
    return parser.parse_args(arguments)


def test_what_is_not_said_is_not_there():
    assert settings_given(parse()) == {}


def test_options_have_the_kind_of_their_setting():
    options = parse("--epochs", "3", "--dropout-rate", "0", "--norm-first", "--no-swap")
    assert settings_given(options) == {
        "epochs": 3,
        "dropout_rate": 0.0,
        "norm_first": True,
        "swap": False,
    }


def test_an_option_goes_before_a_file_and_a_file_before_an_earlier_one(tmp_path):
    (tmp_path / "a").write_text("[training]\nepochs = 1\nseed = 1\npatience = 1\n")
    (tmp_path / "b").write_text("[training]\nepochs = 2\nseed = 2\n")
    options = parse("--epochs", "3")
    found = settings_given(options, tmp_path / "a", None, tmp_path / "b")
    assert found == {"epochs": 3, "seed": 2, "patience": 1}


@pytest.mark.parametrize(
    "text, found",
    [
        ("d_model=64", ("d_model", [64])),
        ("d_model=64,128", ("d_model", [64, 128])),
        ("dropout_rate=0.0:0.3", ("dropout_rate", (0.0, 0.3))),
        ("norm_first=true,false", ("norm_first", [True, False])),
    ],
)
def test_a_range_is_read_as_it_is_meant(text, found):
    assert read_range(text) == found


@pytest.mark.parametrize("read, text", [(read_range, "d_model"), (read_value, "big")])
def test_what_is_no_range_is_refused(read, text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}' is no"):
        read(text)
