"""The first signal to stop is held back, the second one is not."""

import signal
import threading

import pytest

from keras_attention.training.stop_signals import StopSignals


class Terminated(Exception):
    """What the handler of these tests raises."""


@pytest.fixture(autouse=True)
def handlers():
    """SIGTERM raises; after the test, all is as before."""

    def terminate(number, frame):
        raise Terminated

    before = {number: signal.getsignal(number) for number in StopSignals.NUMBERS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminate)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def signals():
    signals = StopSignals()
    signals.listen()
    return signals


ERRORS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]


@pytest.mark.parametrize(("number", "error"), ERRORS)
def test_a_signal_is_held_back_until_it_is_released(signals, number, error):
    assert signals.received is None
    signal.raise_signal(number)
    assert signals.received == number
    with pytest.raises(error):
        signals.release()
    assert signals.received is None


@pytest.mark.parametrize(("number", "error"), ERRORS)
def test_the_second_signal_works_at_once(signals, number, error):
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(error):
        signal.raise_signal(number)


def test_it_says_that_it_has_heard(signals, capfd):
    signal.raise_signal(signal.SIGINT)
    assert "SIGINT" in capfd.readouterr().err


@pytest.mark.parametrize(("number", "error"), ERRORS)
def test_who_listened_before_listens_again(signals, number, error):
    signals.ignore()
    with pytest.raises(error):
        signal.raise_signal(number)
    assert signals.received is None


def test_to_listen_twice_is_to_listen_once(signals):
    signals.listen()
    signals.ignore()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_one_who_was_left_listening_by_an_error_hears_no_more(signals):
    later = StopSignals()
    later.listen()
    signal.raise_signal(signal.SIGINT)
    assert (signals.received, later.received) == (None, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        later.release()


def test_a_signal_that_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals = StopSignals()
    signals.listen()
    signal.raise_signal(signal.SIGINT)
    assert signals.received is None


def test_a_handler_that_came_later_is_left_alone(signals):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signals.ignore()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


def test_in_another_thread_nothing_is_held_back():
    signals = StopSignals()
    thread = threading.Thread(target=signals.listen)
    thread.start()
    thread.join()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signals.received is None
