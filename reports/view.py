"""All that the page shows, from the rows of a run: tables, figures, texts by the names the template uses."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports import columns, figures, sections
from reports.charts.latency import legend
from reports.data import ReportData, Row
from reports.goals import goals_of
from reports.missing import Known, sample_size
from reports.names import CellName, cell_names, settings_of, short_names
from reports.numbers import measured
from reports.ranking import Group, comparable_groups
from reports.tables import Table, build_table
from reports.text import Labels
from reports.verdict import verdict_of
from reports.visible import one_line

_SHORTER_NAMES = {"column.total": "section.profile"}


def known_of(data: ReportData, labels: Labels) -> Known:
    """What explains the NULLs of a run."""
    reason = data.run["gpu_reason"]
    return Known(labels, None if reason is None else str(reason), sections.failed_reasons(data.failures))


def leaderboard_of(groups: Sequence[Group], shown: Sequence[columns.Column], known: Known) -> Table:
    """A table with a block for each comparable group; names tell cells apart within their group."""
    names = [
        cell_names(group.rows, with_workload=False)[row["cell_id"]] for group in groups for row in group.rows
    ]
    return build_table([group.rows for group in groups], shown, names, known)


def view_of(data: ReportData, labels: Labels) -> dict[str, Any]:
    """All values that the template shows, by name."""
    groups = comparable_groups(data.leaderboard)
    ordered = [row for group in groups for row in group.rows]
    names = cell_names(ordered)
    known = known_of(data, labels)
    kinds = {bool(row["simulated"]) for row in data.leaderboard} or {bool(data.run["simulated"])}
    goals = goals_of(data.run)
    latency_table = leaderboard_of(groups, columns.LATENCY, known)
    stage_names, stage_lines = sections.stage_lines(data.stages, names)
    return {
        "lang": labels.lang,
        "t": labels,
        "run": data.run,
        "simulated": True in kinds,
        "mixed": len(kinds) > 1,
        "facts": sections.run_facts(data.run, data.leaderboard, labels),
        "story": sections.run_story(data.run, labels),
        "verdicts": [verdict_of(group, goals, labels) for group in groups],
        "goals": sections.goal_lines(goals, data.leaderboard, labels),
        "any_quality": any(measured(row["quality"]) is not None for row in ordered),
        "leaderboard": leaderboard_of(groups, columns.LEADERBOARD, known),
        "latency_table": latency_table,
        "has_intervals": any(
            v.interval for block in latency_table.blocks for line in block for v in line.values
        ),
        "sample_size": sample_size,
        "model_card": _card_table(data.model_card, columns.MODEL_CARD, known),
        "resources": _resources(data, names, known),
        "gpu_reason": one_line(data.run["gpu_reason"]) or labels("missing.unknown"),
        "gpu_sources": _gpu_sources(data),
        "stage_names": stage_names,
        "stage_lines": stage_lines,
        "failures": sections.failure_lines(data.failures, names, labels),
        "checks": sections.check_blocks(data.failed_checks, names),
        "environment": sections.environment_facts(data.environment, data.run, labels),
        "packages": sections.packages_of(data.environment),
        "definitions": _definitions(labels),
        "sql": data.sql,
        "figures": _figures(data, groups, known),
        "headings": [heading_of(group, groups, labels) for group in groups],
        "latency_legend": legend(width=200.0),
    }


def _figures(data: ReportData, groups: Sequence[Group], known: Known) -> list[dict[str, Any]]:
    """The figures of each comparable group; cells are named as briefly as tells them apart in it."""
    labels, goals = known.labels, goals_of(data.run)
    drawn = []
    for group in groups:
        names = short_names(cell_names(group.rows, with_workload=False))
        drawn.append(
            {
                "heading": heading_of(group, groups, labels),
                "simulated": group.simulated,
                "tradeoff": figures.tradeoff(group, goals, names, labels),
                "profile": figures.quality_profile(group.rows, names, known),
                "latency": figures.latency_percentiles(group.rows, names, known),
                "requests": figures.request_timelines(data.requests_series, names, labels),
                "memory": figures.memory_timelines(data.vram_timeline, names, labels),
            }
        )
    return drawn


def heading_of(group: Group, groups: Sequence[Group], labels: Labels) -> str:
    """What the group is called where there are several, and whether it is simulated where both kinds are."""
    if len(groups) < 2:
        return ""
    heading = labels("page.workload", workload=one_line(group.workload))
    if len({each.simulated for each in groups}) < 2:
        return heading
    return f"{heading} · {labels('page.simulated_part' if group.simulated else 'page.real_part')}"


def _resources(data: ReportData, names: Mapping[str, CellName], known: Known) -> Table | None:
    """What cells occupied and drew; None if nothing of it was measured."""
    outcomes = {row["cell_id"]: row["outcome"] for row in data.leaderboard}
    rows = [
        {**row, "outcome": outcomes[row["cell_id"]]}
        for row in data.cell_resources
        if row["cell_id"] in outcomes
    ]
    keys = [column.key for column in columns.RESOURCES]
    rows = [row for row in rows if any(measured(row[key]) is not None for key in keys)]
    if not rows:
        return None
    order = list(names)
    rows.sort(key=lambda row: order.index(row["cell_id"]))
    return build_table([rows], columns.RESOURCES, [names[row["cell_id"]] for row in rows], known)


def _card_table(rows: Sequence[Row], shown: Sequence[columns.Column], known: Known) -> Table:
    """The model card; its note is what explains a dash of a model that was not seen to load."""
    keyed = [
        {
            **row,
            "cell_id": str(index),
            "outcome": "completed" if row["supported"] or not row["note"] else "failed",
        }
        for index, row in enumerate(rows)
    ]
    failed = {row["cell_id"]: one_line(row["note"]) for row in keyed if row["note"]}
    names = [CellName(one_line(row["model"]), _card_detail(row)) for row in keyed]
    return build_table([keyed], shown, names, Known(known.labels, known.gpu_reason, failed))


def _card_detail(row: Row) -> str:
    settings = ", ".join(f"{key} {value}" for key, value in settings_of(row).items())
    return " · ".join(one_line(part) for part in (row["target"], settings, row["workload"]) if part)


def _gpu_sources(data: ReportData) -> str:
    return ", ".join(sorted({one_line(row["source"]) for row in data.vram_timeline if row["source"]}))


def _definitions(labels: Labels) -> list[tuple[str, str, str]]:
    """Heading, SQL name and meaning of each number, in the order of the leaderboard."""
    every = {c.key: c for c in (*columns.LATENCY, *columns.RESOURCES, *columns.LEADERBOARD)}
    return [
        (_heading(every[key], labels), key, meaning)
        for key, meaning in labels.under("definition").items()
        if key in every
    ]


def _heading(column: columns.Column, labels: Labels) -> str:
    named = _SHORTER_NAMES.get(column.label)
    heading = labels("group.quality") if named else labels(column.label)
    if column.group in {"group.ttft", "group.tpot", "group.e2e"}:
        heading = f"{labels(column.group)} {heading}"
    return f"{heading} ({column.unit})" if column.unit else heading
