"""The leaderboard for a terminal or a log: a few columns, and the reason of every dash below."""

from collections.abc import Sequence
from io import StringIO

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from reports.columns import TERMINAL
from reports.data import Row
from reports.missing import Known
from reports.names import CellName
from reports.ranking import comparable_groups, finished
from reports.sections import failed_reasons
from reports.tables import Line
from reports.tables import Table as TextTable
from reports.text import Labels, load_labels
from reports.view import heading_of, leaderboard_of

_PLAIN_WIDTH = 200
_WARNING = "bold black on yellow"
_MARKS = "¹²³⁴⁵⁶⁷⁸⁹"


def leaderboard_table(rows: Sequence[Row], *, lang: str, failures: Sequence[Row] = ()) -> Table:
    """The leaderboard as a rich table, dashes explained in the caption; the simulated is titled so.

    The title stands over the table if all of it is simulated, else over each group that is.

    Args:
        rows: of the leaderboard.
        lang: `en` or `ko`.
        failures: of the same run; they say why a cell failed.

    Raises:
        ValueError: the language is not known.
    """
    labels = load_labels(lang)
    groups = comparable_groups(rows)
    content = leaderboard_of(groups, TERMINAL, Known(labels, None, failed_reasons(failures)))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), caption_justify="left", title_justify="left")
    table.caption_style = "dim"
    kinds = {group.simulated for group in groups}
    if kinds == {True}:
        table.title = Text(labels("terminal.simulated"), style=_WARNING)
    elif len(kinds) > 1:
        table.title = Text(labels("page.mixed_explained"), style="bold")
    table.add_column(Text(labels("column.rank")), justify="right", no_wrap=True)
    table.add_column(Text(labels("column.cell")), overflow="fold", min_width=14)
    for column in content.columns:
        heading = "\n".join([*labels(column.label).split(), column.unit])
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for group, block in zip(groups, content.blocks, strict=True):
        if len(groups) > 1:
            table.add_section()
            style = _WARNING if group.simulated else "dim"
            table.add_row("", Text(heading_of(group, groups, labels), style=style))
        for line in block:
            table.add_row(*_cells(line, labels))
    table.caption = Text(_notes(content))
    return table


def leaderboard_text(rows: Sequence[Row], *, lang: str, failures: Sequence[Row] = ()) -> str:
    """The same as plain text, for a pipe or a log: no colours, no control characters, no cut-off names."""
    if not rows:
        return load_labels(lang)("terminal.empty") + "\n"
    table = leaderboard_table(rows, lang=lang, failures=failures)
    out = StringIO()
    console = Console(file=out, width=_PLAIN_WIDTH, color_system=None, force_terminal=False, highlight=False)
    caption, table.caption = table.caption, None
    console.print(Group(table, caption or Text("")), soft_wrap=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n") + "\n"


def _cells(line: Line, labels: Labels) -> list[Text]:
    name = Text(line.name.model, style="bold" if line.rank == 1 else "")
    if line.name.detail:
        name.append(f"\n{line.name.detail}", style="dim")
    if not finished(line.row):
        outcome = CellName(str(line.row["outcome"]), "").model
        name.append(f"\n{labels.get(f'outcome.{outcome}', outcome)}", style="red")
    values = [
        Text(value.text + (_mark(value.note) if value.note else ""), style="bold" if value.best else "")
        for value in line.values
    ]
    return [Text("" if line.rank is None else str(line.rank)), name, *values]


def _notes(table: TextTable) -> str:
    return "\n".join(f"{_mark(number)} {reason}" for number, reason in enumerate(table.notes, start=1))


def _mark(number: int) -> str:
    return _MARKS[number - 1] if number <= len(_MARKS) else f"({number})"
