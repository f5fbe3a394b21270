"""What a cell costs and where it runs: wall seconds by phase, peak memory, versions, machine, commit."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

import msgspec

from bakeoff._version import __version__
from bakeoff.storage.record import PHASES, Environment

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_MODULES = ("numpy", "scipy", "pandas", "pyarrow", "implicit", "lightfm", "optuna", "hydra", "recommenders")


class ResourceMeter:
    """Wall seconds of named phases, and the highest resident memory since it was made."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        _reset_peak()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the wall seconds of the block to the phase, also if it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start

    @property
    def peak_mb(self) -> float:
        """10^6 bytes: on Linux since the meter was made, elsewhere since the process started."""
        return _peak_bytes() / 1e6


def environment() -> Environment:
    """Return the environment of this process, with the commit of the working directory."""
    return msgspec.structs.replace(_process_environment(), git=_git_sha(Path.cwd()))


@cache
def _process_environment() -> Environment:
    distributions = metadata.packages_distributions()
    libraries = {
        module: f"{distributions[module][0]} {metadata.version(distributions[module][0])}"
        for module in _MODULES
        if module in distributions
    }
    return Environment(
        bakeoff=__version__,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cpu=_cpu(),
        cores=os.cpu_count(),
        libraries=libraries,
        git=None,
    )


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


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


@cache
def _git_sha(folder: Path) -> str | None:
    """Return the commit of a folder (the user's project), or None outside a checkout."""
    try:
        result = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None if result.returncode == 0 else None
