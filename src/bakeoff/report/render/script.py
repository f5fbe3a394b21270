"""The script that draws the charts of a page."""

from __future__ import annotations

import contextlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from bakeoff.storage.store import write_text

_CALL = "window.vegaEmbed = vegaEmbed;"


@cache
def bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that can be embedded in a page.

    Made once for a version of vl-convert and kept in the user's cache folder: it takes more than a second.
    """
    import vl_convert

    cached = folder() / f"vega-of-vl-convert-{version('vl-convert-python')}.js"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return embeddable(cached.read_text(encoding="utf-8"))
    script = embeddable(str(vl_convert.javascript_bundle(_CALL)))
    with contextlib.suppress(OSError):  # where nothing can be kept, it is made again: that costs time alone
        write_text(cached, script)
    return script


def embeddable(script: str) -> str:
    """Return the script unchanged if it can be embedded in a page.

    Raises:
        RuntimeError: it could end the element it stands in.
    """
    if "</script" in script.lower() or "<!--" in script:
        raise RuntimeError("the script of the charts holds an end tag or a comment: it cannot be embedded")
    return script


def folder() -> Path:
    """Return the folder in which scripts are cached between processes."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("bakeoff")) / "page"
