"""The report as one HTML file that needs nothing else: no script, no network; for light, dark and print."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.data import ReportData, check_columns
from reports.text import load_labels
from reports.view import view_of
from reports.visible import one_line, visible

_TEMPLATES = Path(__file__).parent / "templates"


def render_report(data: ReportData, *, lang: str) -> str:
    """The whole report as HTML.

    Args:
        data: the rows of one run; text in them may be hostile and is escaped.
        lang: `en` or `ko`.

    Raises:
        ReportError: rows lack a column.
        ValueError: the language is not known, or a goal cannot be read.
    """
    labels = load_labels(lang)
    check_columns(data)
    return _environment().get_template("report.html.j2").render(view_of(data, labels))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_shown,
    )
    environment.filters["one_line"] = one_line
    environment.filters["visible"] = visible
    return environment


def _shown(value: object) -> object:
    """What a template prints: no text may hide anything, whatever wrote it; markup of ours stays."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
