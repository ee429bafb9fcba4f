"""What libraries say while they are imported is not heard; what we say is."""

import os

from keras_attention_cli.start import silent_descriptor


def test_only_what_is_written_meanwhile_is_lost(capfd):
    os.write(2, b"before\n")
    with silent_descriptor(2):
        os.write(2, b"meanwhile\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


def test_an_error_is_raised_and_heard_again(capfd):
    try:
        with silent_descriptor(2):
            raise ImportError("no such thing")
    except ImportError:
        os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
