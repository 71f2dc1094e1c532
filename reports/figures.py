"""Rows into the figures of a report, each drawn twice: for a wide page and for a narrow one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts.latency import Metric, Spread, latency
from reports.charts.profile import Judged, Judgement, profile
from reports.charts.scatter import Axes, Point, scatter
from reports.charts.timelines import Memory, Served, Stage, memory_timeline, request_timeline
from reports.columns import COUNTS, QUALITY_PARTS
from reports.data import OK, Row
from reports.goals import Goal, meets_all
from reports.missing import Known, reason_for
from reports.names import CellName
from reports.numbers import measured, shown
from reports.ranking import Group, finished, frontier, latency_column
from reports.text import Labels

WIDE_PX = 1160.0
HALF_PX = 564.0
NARROW_PX = 344.0

Names = Mapping[str, CellName]


@dataclass(frozen=True)
class Figure:
    """A figure for wide and narrow pages, a heading of its own ('' for none), and remarks below it.

    `wide_remark` and `narrow_remark` concern one of the two drawings only ('' for none).
    """

    wide: Markup
    narrow: Markup
    heading: str = ""
    remarks: tuple[str, ...] = ()
    wide_remark: str = ""
    narrow_remark: str = ""


def tradeoff(group: Group, goals: Sequence[Goal], names: Names, labels: Labels) -> Figure | None:
    """Quality against TTFT of one group; None if no cell has both."""
    rows = [row for row in group.rows if finished(row)]
    column = latency_column(rows)
    drawn = [row for row in rows if _known(row, "quality", column)]
    if not drawn:
        return None
    metric = labels(f"metric.{column.removesuffix('_ms')}")
    leading = frontier(drawn, column)
    points = [
        Point(
            str(names[row["cell_id"]]),
            _figures_of(row, column),
            float(row[column]),
            float(row["quality"]),
            row["cell_id"] in leading,
            hollow=bool(goals) and not meets_all(goals, row),
        )
        for row in drawn
    ]
    log = max(p.x for p in points) > 20 * max(min(p.x for p in points), 1e-9)
    axes = Axes(
        labels("tradeoff.figure", metric=metric),
        labels("tradeoff.axis_x_log" if log else "tradeoff.axis_x", metric=metric),
        labels("tradeoff.axis_y"),
        "",
    )
    wide, wide_unnamed = scatter(points, axes, width=WIDE_PX)
    narrow, narrow_unnamed = scatter(points, axes, width=NARROW_PX)
    left_out = [str(names[row["cell_id"]]) for row in group.rows if row not in drawn]
    return Figure(
        wide,
        narrow,
        remarks=_tradeoff_remarks(column, bool(goals), left_out, labels),
        wide_remark=labels("tradeoff.unnamed", n=wide_unnamed) if wide_unnamed else "",
        narrow_remark=labels("tradeoff.unnamed", n=narrow_unnamed) if narrow_unnamed else "",
    )


def quality_profile(rows: Sequence[Row], names: Names, known: Known) -> Figure | None:
    """A dot per cell and judgement; None if no judgement could be made."""
    if not any(_known(row, part) for row in rows for part in QUALITY_PARTS):
        return None
    labels = known.labels
    judgements = [
        Judgement(
            labels(f"profile.{'total' if part == 'quality' else part}"),
            [Judged(measured(row[part]), row[COUNTS[part]], _why(row, part, known)) for row in rows],
        )
        for part in QUALITY_PARTS
    ]
    title = labels("profile.figure")
    listed = [str(names[row["cell_id"]]) for row in rows]
    return _twice(lambda width: profile(title, listed, judgements, width=width), WIDE_PX)


def latency_percentiles(rows: Sequence[Row], names: Names, known: Known) -> Figure | None:
    """p50, p95, p99 of each cell for TTFT, TPOT and E2E; None if no median is known."""
    if not any(_known(row, f"{m}_p50_ms") for row in rows for m in ("ttft", "tpot", "e2e")):
        return None
    metrics = [
        Metric(known.labels(f"latency.{metric}"), [_spread(row, metric, known) for row in rows])
        for metric in ("ttft", "tpot", "e2e")
    ]
    title = known.labels("latency.figure")
    listed = [str(names[row["cell_id"]]) for row in rows]
    return _twice(lambda width: latency(title, listed, metrics, width=width), WIDE_PX)


def request_timelines(rows: Sequence[Row], names: Names, labels: Labels) -> list[Figure]:
    """One panel per named cell that has requests, in the order of `names`; shared scales."""
    by_cell = _by_cell(rows, names)
    rows = [row for each in by_cell.values() for row in each]
    top = max((ms for row in rows if (ms := measured(row["ttft_intended_ms"])) is not None), default=1.0)
    span = max((float(row["t_s"]) for row in rows), default=1.0)
    figures = []
    for cell_id, each in by_cell.items():
        cell = Served(
            labels("requests.figure", name=names[cell_id]),
            [
                (float(r["t_s"]), ms)
                for r in each
                if r["outcome"] in OK and (ms := measured(r["ttft_intended_ms"])) is not None
            ],
            [float(r["t_s"]) for r in each if r["outcome"] not in OK],
        )
        axis = labels("requests.axis")
        failed = labels("requests.failed", n=len(cell.failed_s)) if cell.failed_s else ""
        drawn = _twice(_requests_of(cell, top, span, axis), HALF_PX)
        remarks = (failed,) if failed else ()
        figures.append(Figure(drawn.wide, drawn.narrow, str(names[cell_id]), remarks))
    return figures


def memory_timelines(rows: Sequence[Row], names: Names, labels: Labels) -> list[Figure]:
    """One panel per named cell with a GPU reading, in the order of `names`; one scale for memory."""
    by_cell = _by_cell(rows, names)
    read = [row for e in by_cell.values() for row in e if measured(row["memory_used_mib"]) is not None]
    top = max((float(row["memory_used_mib"]) for row in read), default=1.0)
    with_reading = {row["cell_id"] for row in read}
    figures = []
    for cell_id, each in by_cell.items():
        if cell_id in with_reading:
            cell = Memory(
                labels("memory.figure", name=names[cell_id]),
                [(float(r["t_s"]), measured(r["memory_used_mib"])) for r in each],
                _stages_of(each),
            )
            drawn = _twice(_memory_of(cell, top, float(each[-1]["t_s"]), labels("memory.axis")), HALF_PX)
            figures.append(Figure(drawn.wide, drawn.narrow, str(names[cell_id])))
    return figures


def _twice(draw: Callable[[float], Markup], wide_px: float) -> Figure:
    return Figure(draw(wide_px), draw(NARROW_PX))


def _requests_of(cell: Served, top: float, span: float, axis: str) -> Callable[[float], Markup]:
    return lambda width: request_timeline(cell, width=width, top_ms=top, span_s=span, axis=axis)


def _memory_of(cell: Memory, top: float, span: float, axis: str) -> Callable[[float], Markup]:
    return lambda width: memory_timeline(cell, width=width, top_mib=top, span_s=span, axis=axis)


def _known(row: Row, *columns: str) -> bool:
    return all(measured(row[column]) is not None for column in columns)


def _figures_of(row: Row, column: str) -> str:
    parts = [shown(row["quality"], "score"), f"{shown(row[column], 'ms')} ms"]
    if measured(row["vram_peak_mib"]) is not None:
        parts.append(f"{shown(row['vram_peak_mib'], 'gib')} GiB")
    return " · ".join(parts)


def _tradeoff_remarks(
    column: str, with_goals: bool, left_out: Sequence[str], labels: Labels
) -> tuple[str, ...]:
    remarks = [labels("tradeoff.hollow")] if with_goals else []
    if column == "ttft_p50_ms":
        remarks.append(labels("tradeoff.no_p95"))
    if left_out:
        remarks.append(labels("tradeoff.left_out", names=", ".join(left_out)))
    return tuple(remarks)


def _why(row: Row, column: str, known: Known) -> str:
    return "" if measured(row[column]) is not None else reason_for(row, column, known)


def _spread(row: Row, metric: str, known: Known) -> Spread:
    p50, p95, p99 = (measured(row[f"{metric}_{name}_ms"]) for name in ("p50", "p95", "p99"))
    return Spread(p50, p95, p99, _why(row, f"{metric}_p50_ms", known))


def _by_cell(rows: Sequence[Row], names: Names) -> dict[str, list[Row]]:
    """Rows of each named cell, in the order of the names; rows of other cells are left out."""
    found: dict[str, list[Row]] = {cell_id: [] for cell_id in names}
    for row in rows:
        if row["cell_id"] in found:
            found[row["cell_id"]].append(row)
    return {cell_id: each for cell_id, each in found.items() if each}


def _stages_of(rows: Sequence[Row]) -> list[Stage]:
    """Stretches of equal stage; each ends where the next begins."""
    starts: list[tuple[str, float]] = []
    for row in rows:
        if not starts or starts[-1][0] != row["stage"]:
            starts.append((str(row["stage"]), float(row["t_s"])))
    ends = [start for _, start in starts[1:]] + [float(rows[-1]["t_s"])]
    return [Stage(name, start, end) for (name, start), end in zip(starts, ends, strict=True)]
