"""Picture of a report for the README, by Debian's Chromium.

    python docs/img/screenshot.py results/NAME/report.html docs/img/report.png
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright


def main(page: Path, picture: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        opened = browser.new_page(viewport={"width": 1280, "height": 1190}, color_scheme="light")
        opened.goto(page.resolve().as_uri())
        opened.wait_for_function("document.documentElement.dataset.charts === 'drawn'")
        opened.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
