"""A report as one HTML file that needs nothing beside itself."""

from __future__ import annotations

from functools import cache

from bakeoff.report.document import DEFINITIONS
from bakeoff.report.page.board import headed, shown
from bakeoff.report.page.page import Page


def render(page: Page) -> str:
    """The whole page; the template escapes every text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bakeoff.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"headed": headed, "point": shown}
    return environment.get_template("report.html.j2").render(
        page=page, definitions=DEFINITIONS, bundle=bundle() if page.sections else ""
    )


@cache
def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that may stand in a page; made once a process.

    Raises:
        RuntimeError: the script could end the element it stands in.
    """
    import vl_convert

    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in script.lower() or "<!--" in script:
        raise RuntimeError("the script of the charts holds an end tag or a comment: it cannot be embedded")
    return str(script)
