"""A report as one HTML file that needs nothing beside itself."""

from __future__ import annotations

from bakeoff.report.document import DEFINITIONS
from bakeoff.report.page.board import cell_text, column_header
from bakeoff.report.page.page import Page
from bakeoff.report.render.script import bundle


def render(page: Page) -> str:
    """Return the whole page; the template escapes every text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bakeoff.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"column_header": column_header, "cell_text": cell_text}
    return environment.get_template("report.html.j2").render(
        page=page, definitions=DEFINITIONS, bundle=bundle() if page.sections else ""
    )
