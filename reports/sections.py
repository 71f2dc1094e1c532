"""The plain parts of a report: facts, stages, failures, checks and the environment, as text ready to show."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reports.data import OK, Row
from reports.goals import Goal, holds, met
from reports.names import CellName
from reports.numbers import NULL, measured, shown
from reports.ranking import finished
from reports.text import Labels
from reports.visible import one_line, visible

MOST_CHECKS_PER_CELL = 30
_LONGEST_EVIDENCE = 800
_LONGEST_REASON = 400


@dataclass(frozen=True)
class Fact:
    """A heading and its value."""

    label: str
    value: str


@dataclass(frozen=True)
class GoalLine:
    """A goal, who should meet it, who does, and whether that is enough."""

    goal: str
    scope: str
    met_by: str
    holds: bool


@dataclass(frozen=True)
class StageLine:
    """A cell's seconds in each stage ('' if it did not come to it) and where and why it failed."""

    name: CellName
    seconds: tuple[str, ...]
    failed_at: int | None
    reason: str


@dataclass(frozen=True)
class FailureLine:
    """One thing that did not work."""

    name: str
    what: str
    outcome: str
    how_many: str
    reason: str


@dataclass(frozen=True)
class CheckLine:
    """A check with one result in one or several answers."""

    case: str
    check: str
    status: str
    answers: str
    evidence: str


@dataclass(frozen=True)
class CheckBlock:
    """The checks that a cell did not pass; `hidden` more are not listed."""

    name: str
    n: int
    lines: tuple[CheckLine, ...]
    hidden: int


def run_facts(run: Row, leaderboard: Sequence[Row], labels: Labels) -> list[Fact]:
    """What stands at the head of a report; what is not known is left out."""
    completed = sum(finished(row) for row in leaderboard)
    status = one_line(run["status"])
    values = {
        "id": one_line(run["run_id"]),
        "started": when(run["started_at"]),
        "duration": _duration(run["started_at"], run["ended_at"]),
        "cells": labels("run.cells_value", completed=completed, n=run["n_cells"]),
        "status": labels.get(f"outcome.{status}", status),
        "owner": one_line(run["owner"]),
        "seed": one_line(run["seed"]),
    }
    return [Fact(labels(f"run.{key}"), value) for key, value in values.items() if value]


def run_story(run: Row, labels: Labels) -> list[Fact]:
    """Purpose, hypothesis, expected result and, if the run did not end well, why."""
    keys = ("purpose", "hypothesis", "expected_result", "reason")
    return [Fact(labels(f"run.{key}"), one_line(run[key])) for key in keys if run[key]]


def goal_lines(goals: Sequence[Goal], rows: Sequence[Row], labels: Labels) -> list[GoalLine]:
    """Each goal against all cells of the run; a cell that failed does not meet it."""
    return [
        GoalLine(
            str(goal),
            labels.get(f"goal.{goal.scope}", goal.scope),
            _met_by(goal, rows, labels),
            holds(goal, rows),
        )
        for goal in goals
    ]


def stage_lines(rows: Sequence[Row], names: Mapping[str, CellName]) -> tuple[list[str], list[StageLine]]:
    """The stages' names in order of appearance, and a line for each cell; its latest attempt only."""
    latest = _latest(rows)
    stages = list(dict.fromkeys(str(row["stage"]) for row in latest))
    lines = []
    for cell_id, name in names.items():
        own = {str(row["stage"]): row for row in latest if row["cell_id"] == cell_id}
        if own:
            failed = next((i for i, s in enumerate(stages) if s in own and own[s]["outcome"] not in OK), None)
            reason = "" if failed is None else one_line(own[stages[failed]]["reason"], limit=_LONGEST_REASON)
            seconds = tuple(_seconds(own[s]["duration_ms"]) if s in own else "" for s in stages)
            total = [ms for row in own.values() if (ms := measured(row["duration_ms"])) is not None]
            lines.append(StageLine(name, (*seconds, _seconds(sum(total)) if total else NULL), failed, reason))
    return stages, lines


def failure_lines(rows: Sequence[Row], names: Mapping[str, CellName], labels: Labels) -> list[FailureLine]:
    """All failures as they came, with the count only where there can be several.

    A stage whose failure is the cell's is told once, as the cell's.
    """
    cells = {(row["cell_id"], row["attempt"], row["stage"]) for row in rows if row["scope"] == "cell"}
    several = {row["cell_id"] for row in rows if int(row["attempt"]) > 1}
    told = [
        row
        for row in rows
        if row["scope"] != "stage" or (row["cell_id"], row["attempt"], row["stage"]) not in cells
    ]
    return [_failure_line(row, names, labels, with_attempt=row["cell_id"] in several) for row in told]


def _failure_line(
    row: Row, names: Mapping[str, CellName], labels: Labels, *, with_attempt: bool
) -> FailureLine:
    scope, stage, outcome = str(row["scope"]), one_line(row["stage"]), one_line(row["outcome"])
    what = [labels.get(f"failures.{scope}", scope), stage]
    if with_attempt:
        what.append(labels("failures.attempt", attempt=row["attempt"]))
    many = scope in {"requests", "answers"}
    return FailureLine(
        _name(row, names),
        " · ".join(part for part in what if part),
        labels.get(f"outcome.{outcome}", outcome),
        labels("failures.of", n=f"{row['n']:,}", total=f"{row['n_of']:,}") if many else "",
        one_line(row["reason"], limit=_LONGEST_REASON) or NULL,
    )


def check_blocks(rows: Sequence[Row], names: Mapping[str, CellName]) -> list[CheckBlock]:
    """The checks by cell; equal results of several answers are one line."""
    by_cell: dict[str, list[Row]] = {cell_id: [] for cell_id in names}
    for row in rows:
        by_cell.setdefault(str(row["cell_id"]), []).append(row)
    blocks = []
    for each in by_cell.values():
        if each:
            lines = _check_lines(each)
            shown_lines = tuple(lines[:MOST_CHECKS_PER_CELL])
            hidden = len(lines) - len(shown_lines)
            blocks.append(CheckBlock(_name(each[0], names), len(each), shown_lines, hidden))
    return blocks


def environment_facts(environment: Row | None, run: Row, labels: Labels) -> list[Fact]:
    """What the run was measured on; [] if it was not recorded."""
    if environment is None:
        return []
    facts = []
    for key, label in labels.under("environment").items():
        if (
            key not in {"none", "isolation", "packages", "packages_count"}
            and environment.get(key) is not None
        ):
            facts.append(Fact(label, _environment_value(key, environment[key], labels)))
    if run["isolation"] or run["isolation_reason"]:
        isolation = one_line(run["isolation"]) or NULL
        why = one_line(run["isolation_reason"], limit=_LONGEST_REASON)
        facts.append(Fact(labels("environment.isolation"), f"{isolation} ({why})" if why else isolation))
    return facts


def packages_of(environment: Row | None) -> list[str]:
    """Each library with its version; [] if they were not recorded."""
    value = None if environment is None else environment.get("packages")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return [one_line(value)]
    if not isinstance(value, Mapping):
        return []
    return [f"{one_line(name)} {one_line(version)}" for name, version in sorted(value.items())]


def failed_reasons(rows: Sequence[Row]) -> dict[str, str]:
    """Why each failed cell failed, with its stage, by cell_id."""
    reasons: dict[str, str] = {}
    for row in rows:
        if row["scope"] == "cell":
            stage = one_line(row["stage"])
            why = one_line(row["reason"] or row["outcome"], limit=_LONGEST_REASON)
            reasons[str(row["cell_id"])] = f"{stage}: {why}" if stage else why
    return reasons


def when(value: Any) -> str:
    """A time in UTC to the minute; '' for None. A time without a zone is shown as it is."""
    stamp = _stamp(value)
    if stamp is None:
        return ""
    if stamp.tzinfo is None:
        return stamp.strftime("%Y-%m-%d %H:%M")
    return stamp.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _met_by(goal: Goal, rows: Sequence[Row], labels: Labels) -> str:
    results = [met(goal, row) for row in rows]
    n_met, n_unknown = results.count(True), results.count(None)
    key = "goal.met_by_unknown" if n_unknown else "goal.met_by_value"
    return labels(key, met=n_met, n=len(rows), unknown=n_unknown)


def _seconds(duration_ms: Any) -> str:
    """Seconds with two digits; what is shorter than they can show is said to be so."""
    known = measured(duration_ms)
    return "<0.01" if known is not None and 0 < known < 5 else shown(known, "s", 2)


def _stamp(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromisoformat(str(value))


def _duration(started: Any, ended: Any) -> str:
    first, last = _stamp(started), _stamp(ended)
    if first is None or last is None:
        return ""
    seconds = round((last - first).total_seconds())
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def _latest(rows: Sequence[Row]) -> list[Row]:
    last: dict[str, int] = {}
    for row in rows:
        last[row["cell_id"]] = max(last.get(row["cell_id"], 0), int(row["attempt"]))
    return [row for row in rows if int(row["attempt"]) == last[row["cell_id"]]]


def _name(row: Row, names: Mapping[str, CellName]) -> str:
    """The cell's name; a cell that has no finished attempt is called by its model, if the row tells it."""
    if row["cell_id"] in names:
        return str(names[row["cell_id"]])
    parts = [one_line(row.get(key)) for key in ("model", "target", "workload")]
    return " · ".join(part for part in parts if part) or one_line(row["cell_id"])


def _check_lines(rows: Sequence[Row]) -> list[CheckLine]:
    grouped: dict[tuple[str, str, str, str], dict[str, list[str]]] = {}
    for row in rows:
        evidence = visible(row["evidence"], limit=_LONGEST_EVIDENCE)
        key = (one_line(row["case_id"]), one_line(row["check_id"]), one_line(row["status"]), evidence)
        grouped.setdefault(key, {}).setdefault(one_line(row["language"]), []).append(str(row["repeat"]))
    return [
        CheckLine(
            *key[:3], " · ".join(f"{lang} {', '.join(which)}" for lang, which in by_lang.items()), key[3]
        )
        for key, by_lang in grouped.items()
    ]


def _environment_value(key: str, value: Any, labels: Labels) -> str:
    if isinstance(value, bool):
        return labels("supported.yes" if value else "supported.no")
    if key == "memory_mib":
        return shown(value, "gib")
    if isinstance(value, list | tuple):
        return ", ".join(one_line(each) for each in value)
    if key == "commit_sha":
        return one_line(value)[:12]
    return one_line(value)
