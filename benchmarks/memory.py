"""How much memory this process holds, and held at most."""

import pathlib
import resource
import sys


def measure_memory(act):
    """MiB that are held before a function is called, and that it adds at most."""
    before = resident_mib()
    forget_peak()
    act()
    return before, max(peak_mib() - before, 0.0)


def resident_mib():
    """Memory that this process holds, in MiB; except on Linux, the most so far."""
    pages = pathlib.Path("/proc/self/statm")
    if not pages.exists():
        return peak_mib()
    return int(pages.read_text().split()[1]) * resource.getpagesize() / 2**20


def peak_mib():
    """The most memory that this process has held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def forget_peak():
    """Let the peak be what is held now, where the system can: on Linux."""
    switch = pathlib.Path("/proc/self/clear_refs")
    if switch.exists():
        switch.write_text("5")
