"""What a cell costs: wall seconds by phase and peak memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bakeoff.storage.record import PHASES

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Meter:
    """Seconds of named phases, and the highest resident memory since it was made."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        _reset_peak()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the wall seconds of the block to the phase, also where it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start

    @property
    def peak_mb(self) -> float:
        """10^6 bytes: on Linux since the meter was made, elsewhere since the process started."""
        return _peak_bytes() / 1e6


def _reset_peak() -> None:
    if _CLEAR.exists():
        try:
            _CLEAR.write_text("5")  # VmHWM counts from here on; see proc(5)
        except OSError:  # a container may forbid it: then the peak is that of the process
            return


def _peak_bytes() -> int:
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
