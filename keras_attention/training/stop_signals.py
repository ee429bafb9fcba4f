"""Ctrl-C and SIGTERM, held back until the step at hand is done."""

import contextlib
import os
import signal
import threading

STANDARD_ERROR = 2


class StopSignals:
    """Hold the first signal to stop back; a second one works at once.

    Python lets only its main thread listen; elsewhere nothing is held back. A signal
    that is ignored (as under nohup) stays ignored.

    Attributes:
        received: The signal held back, or None.
    """

    # What a person sends (Ctrl-C), and what a cluster sends before it takes a machine.
    NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self):
        self.received = None
        self._before = {}

    def listen(self):
        """From now on, hold back."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self.NUMBERS:
            # One who listens still was left so by an error in the middle of a training.
            left_over = getattr(signal.getsignal(number), "__self__", None)
            if isinstance(left_over, StopSignals):
                left_over.ignore()
            # None was not set from Python, and cannot be set again from it.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._hold)

    def ignore(self):
        """No longer hold back: who listened before listens again."""
        while self._before:
            number, before = self._before.popitem()
            if signal.getsignal(number) == self._hold:
                signal.signal(number, before)

    def release(self):
        """Send on what was held back: KeyboardInterrupt, or the end of the process."""
        received, self.received = self.received, None
        self.ignore()
        signal.raise_signal(received)

    def _hold(self, number, frame):
        self.received = number
        self.ignore()
        name = signal.Signals(number).name
        message = f"\n{name}: this step is finished first; a second one stops at once\n"
        # Not print, since the signal may have come in the middle of one.
        with contextlib.suppress(OSError):
            os.write(STANDARD_ERROR, message.encode())
