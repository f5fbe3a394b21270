"""The script of the charts: made once, and never a reason to fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import vl_convert

from bakeoff.report.render import html as script


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own, and nothing remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    script.bundle.cache_clear()
    yield tmp_path / "cache"
    script.bundle.cache_clear()


def test_it_defines_the_function_that_the_page_calls_and_takes_half_a_megabyte() -> None:
    assert "window.vegaEmbed" in script.bundle()
    assert len(script.deflated(script.bundle())) < 500_000


def test_another_process_reads_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = script.bundle()
    script.bundle.cache_clear()
    monkeypatch.delattr(vl_convert, "javascript_bundle")
    assert script.bundle() == made


def test_another_version_makes_its_own(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script.bundle()
    script.bundle.cache_clear()
    monkeypatch.setattr(script, "version", lambda name: "0.0.0")
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda call: f"of version 0; {call}")
    assert script.bundle().startswith("of version 0")
    assert len(list(cache.rglob("*.js"))) == 2


def test_a_cache_that_cannot_be_written_costs_time_alone(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where the folder would be")
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda call: call)
    assert script.bundle() == "window.vegaEmbed = vegaEmbed;"
