"""What happened over time in a cell: GPU memory with its stages, and each request's time to first token."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts.scales import Scale, tick_text
from reports.charts.svg import dots, figure, line, path, tag, text, width_of
from reports.charts.thinning import extremes

_LEFT = 46.0
_RIGHT = 10.0
_MIB_PER_GIB = 1024.0


@dataclass(frozen=True)
class Stage:
    """A stretch of a cell's time, seconds since its first reading."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Memory:
    """GPU memory of one cell in MiB over seconds; a reading of None breaks the line."""

    title: str
    readings: Sequence[tuple[float, float | None]]
    stages: Sequence[Stage]


@dataclass(frozen=True)
class Served:
    """Requests of one cell: (intended s, TTFT ms) of those that answered, intended s of those that failed."""

    title: str
    answered: Sequence[tuple[float, float]]
    failed_s: Sequence[float]


def memory_timeline(cell: Memory, *, width: float, top_mib: float, span_s: float, axis: str) -> Markup:
    """One cell's GPU memory over its `span_s` seconds; `top_mib` is shared by the cells beside it."""
    height, head = 150.0, 24.0
    xs = Scale(0.0, max(span_s, 1e-9), _LEFT, width - _RIGHT)
    ys = Scale(0.0, max(top_mib, 1.0) / _MIB_PER_GIB * 1.06, height - 30, head)
    drawn = _bands(cell.stages, xs, head, height - 30)
    drawn += _axes(xs, ys, width, height, axis)
    drawn += [path(run, "trace") for run in _unbroken(cell.readings, xs, ys, slices=int(width))]
    return figure(width, height, cell.title, *drawn)


def request_timeline(cell: Served, *, width: float, top_ms: float, span_s: float, axis: str) -> Markup:
    """One cell's requests at their intended times; failed ones are marks on the upper edge."""
    height, head = 150.0, 18.0
    xs = Scale(0.0, max(span_s, 1e-9), _LEFT, width - _RIGHT)
    ys = Scale(0.0, max(top_ms, 1e-9) * 1.06, height - 30, head)
    kept = extremes(sorted(cell.answered), slices=int(width / 3))
    drawn = _axes(xs, ys, width, height, axis)
    drawn.append(dots([(xs(t), ys(ms)) for t, ms in kept], "req"))
    columns = sorted({round(xs(t)) for t in cell.failed_s})
    drawn += [_cross(float(x), 9.0) for x in columns]
    return figure(width, height, cell.title, *drawn)


def _axes(xs: Scale, ys: Scale, width: float, height: float, axis: str) -> list[Markup]:
    drawn = []
    for value in ys.ticks(3):
        drawn.append(line(_LEFT, ys(value), width - _RIGHT, ys(value), "grid"))
        drawn.append(text(_LEFT - 8, ys(value) + 4, tick_text(value), "ax", "end"))
    for value in xs.ticks(max(2, int(width / 90))):
        drawn.append(text(xs(value), height - 14, tick_text(value), "ax", "middle"))
    drawn.append(text(width - _RIGHT, height - 1, axis, "ax small", "end"))
    return drawn


def _bands(stages: Sequence[Stage], xs: Scale, top: float, bottom: float) -> list[Markup]:
    """Every second stage tinted, a mark where each begins, and the names that have room above."""
    drawn: list[Markup] = []
    for index, stage in enumerate(stages):
        left, right = xs(stage.start_s), xs(stage.end_s)
        title = tag("title", f"{stage.name} {stage.start_s:.1f}–{stage.end_s:.1f} s")
        class_ = "band odd" if index % 2 else "band"
        drawn.append(
            tag(
                "rect", title, x=left, y=top, width=max(right - left, 0.5), height=bottom - top, class_=class_
            )
        )
        if index:
            drawn.append(line(left, top - 3, left, bottom, "mark"))
    return drawn + [text(x, top - 6, name, "ax small") for x, name in _stage_names(stages, xs)]


def _stage_names(stages: Sequence[Stage], xs: Scale) -> list[tuple[float, str]]:
    """Where names of stages start: each at its stage's beginning, longest stages first, none on another."""
    taken: list[tuple[float, float]] = []
    named: list[tuple[float, str]] = []
    for stage in sorted(stages, key=lambda s: s.start_s - s.end_s):
        left = xs(stage.start_s) + 3
        right = left + width_of(stage.name, 11)
        if right <= xs.end + _RIGHT and all(right + 8 <= start or left >= end + 8 for start, end in taken):
            taken.append((left, right))
            named.append((left, stage.name))
    return named


def _unbroken(
    readings: Sequence[tuple[float, float | None]], xs: Scale, ys: Scale, *, slices: int
) -> list[list[tuple[float, float]]]:
    """The readings as lines that do not bridge what was not measured."""
    runs: list[list[tuple[float, float]]] = [[]]
    for t_s, mib in readings:
        if mib is None:
            runs.append([])
        else:
            runs[-1].append((xs(t_s), ys(mib / _MIB_PER_GIB)))
    return [extremes(run, slices=slices) for run in runs if run]


def _cross(x: float, y: float) -> Markup:
    return tag("path", d=f"M{x - 3:.0f} {y - 3:.0f}l6 6m0-6l-6 6", class_="failed")
