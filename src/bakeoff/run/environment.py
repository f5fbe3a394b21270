"""Where a number was made: versions, the distributions that supplied the modules, machine, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from bakeoff import __version__

_MODULES = ("numpy", "scipy", "pandas", "pyarrow", "implicit", "lightfm", "optuna", "hydra", "recommenders")


@cache
def environment() -> dict[str, Any]:
    """Captured once a process; `libraries` names the distribution too, as forks share module names."""
    supplied = metadata.packages_distributions()
    libraries = {
        module: f"{supplied[module][0]} {metadata.version(supplied[module][0])}"
        for module in _MODULES
        if module in supplied
    }
    return {
        "bakeoff": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "libraries": libraries,
        "git": _git_sha(),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _git_sha() -> str | None:
    """Commit of the working directory, the user's own project, or None outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
