"""The summary and the table that a run leaves in Prefect's interface."""

import re
from collections.abc import Sequence
from typing import Any

from reports.columns import LEADERBOARD, TERMINAL
from reports.data import ReportData, Row
from reports.goals import goals_of
from reports.names import cell_names
from reports.numbers import KINDS, measured
from reports.ranking import comparable_groups
from reports.sections import failure_lines, goal_lines, run_facts
from reports.text import Labels, load_labels
from reports.verdict import verdict_of
from reports.view import heading_of, known_of, leaderboard_of
from reports.visible import one_line

_SPECIAL = re.compile(r"([\\`*_\[\]#|~@]|:(?=//)|(?<=[wW]{3})\.)")
_MOST_FAILURES = 20


def run_summary(data: ReportData, *, lang: str) -> str:
    """A run in Markdown: the verdict, the leaderboard, goals and failures; text of others is escaped.

    Raises:
        ValueError: the language is not known, or a goal cannot be read.
    """
    labels = load_labels(lang)
    groups, goals = comparable_groups(data.leaderboard), goals_of(data.run)
    parts = [f"# {literal(data.run['experiment_name'])}"]
    kinds = {group.simulated for group in groups} or {bool(data.run["simulated"])}
    if True in kinds:
        why = labels("page.mixed_explained" if len(kinds) > 1 else "page.simulated_explained")
        parts.append(f"> **{labels('page.simulated_band')}** {why}")
    parts.append(" · ".join(f"{fact.label}: {literal(fact.value)}" for fact in _facts(data, labels)))
    for group in groups:
        sentences = verdict_of(group, goals, labels).sentences
        if len(groups) > 1:
            parts.append(f"### {literal(heading_of(group, groups, labels))}")
        parts.append(f"**{literal(sentences[0])}** " + literal(" ".join(sentences[1:])))
    parts.append(_leaderboard(data, labels))
    parts += _goals(data, labels) + _failures(data, labels)
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def leaderboard_artifact(rows: Sequence[Row], *, lang: str = "en") -> list[dict[str, Any]]:
    """The leaderboard for a table artifact: headings with units, numbers as numbers, None for NULL.

    Values are in the heading's unit, rounded to what is worth reading.
    """
    labels = load_labels(lang)
    ordered = [row for group in comparable_groups(rows) for row in group.rows]
    names = cell_names(ordered)
    table = []
    for row in ordered:
        entry: dict[str, Any] = {labels("column.cell"): str(names[row["cell_id"]])}
        for column in LEADERBOARD:
            entry[_heading(column.label, column.unit, labels)] = _number(row[column.key], column.kind)
        entry[labels("column.outcome")] = one_line(row["outcome"])
        entry[labels("page.simulated_part")] = bool(row["simulated"])
        table.append(entry)
    return table


def literal(text: object) -> str:
    """Text that Markdown shows as it is: no formatting, link, table cell or HTML comes of it."""
    escaped = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", escaped)


def _facts(data: ReportData, labels: Labels) -> list[Any]:
    return run_facts(data.run, data.leaderboard, labels)


def _leaderboard(data: ReportData, labels: Labels) -> str:
    table = leaderboard_of(comparable_groups(data.leaderboard), TERMINAL, known_of(data, labels))
    headings = [_heading(column.label, column.unit, labels) for column in table.columns]
    lines = [
        _line([labels("column.rank"), labels("column.cell"), *headings]),
        "|---:|---|" + "---:|" * len(headings),
    ]
    for block in table.blocks:
        for line in block:
            values = [f"{value.text} ({value.note})" if value.note else value.text for value in line.values]
            lines.append(_line([str(line.rank or ""), literal(line.name), *values]))
    notes = "\n".join(f"({number}) {literal(reason)}  " for number, reason in enumerate(table.notes, start=1))
    return "\n".join(lines) + (f"\n\n{notes}" if notes else "")


def _goals(data: ReportData, labels: Labels) -> list[str]:
    lines = [
        f"- {'✓' if goal.holds else '✕'} {literal(goal.goal)} ({goal.scope}): {goal.met_by}"
        for goal in goal_lines(goals_of(data.run), data.leaderboard, labels)
    ]
    return [f"## {labels('goal.title')}", "\n".join(lines)] if lines else []


def _failures(data: ReportData, labels: Labels) -> list[str]:
    names = cell_names([row for group in comparable_groups(data.leaderboard) for row in group.rows])
    listed = failure_lines(data.failures, names, labels)
    lines = [
        f"- {literal(f.name)}, {literal(f.what)}: {literal(f.outcome)} {f.how_many} {literal(f.reason)}"
        for f in listed[:_MOST_FAILURES]
    ]
    if len(listed) > _MOST_FAILURES:
        lines.append(f"- … +{len(listed) - _MOST_FAILURES}")
    return [f"## {labels('section.failures')}", "\n".join(lines)] if lines else []


def _heading(label: str, unit: str, labels: Labels) -> str:
    return f"{labels(label)} ({unit})" if unit else labels(label)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: Any, kind: str) -> float | None:
    number = measured(value)
    return None if number is None else round(number * KINDS[kind].factor, 4)
