"""A report as one HTML file that needs nothing beside itself."""

from __future__ import annotations

from bakeoff.report.document import DEFINITIONS, Document


def render(document: Document) -> str:
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
    return environment.get_template("report.html.j2").render(document=document, definitions=DEFINITIONS)
