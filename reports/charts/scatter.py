"""Quality against latency: a named mark per cell, those that nothing beats joined by a step."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from reports.charts.placement import Box, Wanted, leader, place
from reports.charts.scales import Scale, around, from_zero, tick_text
from reports.charts.svg import figure, fitted, line, path, tag, text, width_of

_RADIUS = 5.5
_LINE_PX = 14.0
_MOST_WITH_FIGURES = 8
_LEADER_FROM_PX = 14.0
_BOLDER = 1.12

Place = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """A cell: its name, a second line of figures, where it lies, and whether nothing beats it."""

    name: str
    figures: str
    x: float
    y: float
    leading: bool
    hollow: bool = False


@dataclass(frozen=True)
class Axes:
    """The words around a scatter: what the figure is, both axes with unit, and where better lies."""

    title: str
    x: str
    y: str
    better: str


def scatter(
    points: Sequence[Point], axes: Axes, *, width: float, domain: Sequence[Point] = ()
) -> tuple[Markup, int]:
    """The figure, and how many points could not be named for lack of room.

    Args:
        points: what to draw; leading ones are named first.
        axes: the words.
        width: of the figure in px.
        domain: points that set the axes, so that several figures share them; `points` if empty.
    """
    height = min(440.0, max(300.0, width * 0.42))
    frame = Box(46.0, 30.0, width - 12.0, height - 44.0)
    extent = domain or points
    xs = from_zero([p.x for p in extent], frame.left, frame.right)
    ys = around([p.y for p in extent], frame.bottom, frame.top, least=0.2, bounds=(0.0, 1.0))
    ordered = sorted(points, key=lambda p: (not p.leading, -p.y, p.x))
    front = _front(points, xs, ys, frame)
    labels, unnamed = _labels(ordered, xs, ys, frame, width, _clear_of(front))
    drawn = [*_axes(axes, xs, ys, frame, width, height), path(front, "front"), *labels]
    drawn += [_mark(point, xs, ys) for point in reversed(ordered)]
    return figure(width, height, axes.title, *drawn), unnamed


def _axes(axes: Axes, xs: Scale, ys: Scale, frame: Box, width: float, height: float) -> list[Markup]:
    drawn = []
    for value in ys.ticks(5):
        drawn.append(line(frame.left, ys(value), frame.right, ys(value), "grid"))
        drawn.append(text(frame.left - 8, ys(value) + 4, f"{value:.2f}", "ax", "end"))
    for value in xs.ticks(max(3, int((frame.right - frame.left) / 90))):
        drawn.append(line(xs(value), frame.bottom, xs(value), frame.bottom + 4, "tick"))
        drawn.append(text(xs(value), frame.bottom + 18, tick_text(value), "ax", "middle"))
    drawn.append(line(frame.left, frame.bottom, frame.right, frame.bottom, "base"))
    drawn.append(text(frame.right, height - 6, axes.x, "ax title", "end"))
    drawn.append(text(0, 14, axes.y, "ax title"))
    drawn.append(text(width - 12, 14, axes.better, "ax", "end"))
    return drawn


def _front(points: Sequence[Point], xs: Scale, ys: Scale, frame: Box) -> list[Place]:
    """The best quality to be had at each latency: a step from each leading point to the next."""
    leading = sorted((p.x, p.y) for p in points if p.leading)
    steps: list[Place] = []
    for x, y in leading:
        if steps:
            steps.append((xs(x), steps[-1][1]))
        steps.append((xs(x), ys(y)))
    if steps:
        steps.append((frame.right, steps[-1][1]))
    return steps


def _clear_of(steps: Sequence[Place]) -> list[Box]:
    """Where no label may be so that the line stays readable."""
    return [
        Box(min(x1, x2) - 1, min(y1, y2) - 1, max(x1, x2) + 1, max(y1, y2) + 1)
        for (x1, y1), (x2, y2) in pairwise(steps)
    ]


def _mark(point: Point, xs: Scale, ys: Scale) -> Markup:
    class_ = " ".join(["dot", "lead" if point.leading else "rest", *(["hollow"] if point.hollow else [])])
    title = tag("title", f"{point.name}: {point.figures}")
    return tag("circle", title, cx=xs(point.x), cy=ys(point.y), r=_RADIUS, class_=class_)


def _labels(
    points: Sequence[Point], xs: Scale, ys: Scale, frame: Box, width: float, clear: Sequence[Box]
) -> tuple[list[Markup], int]:
    with_figures = len(points) <= _MOST_WITH_FIGURES
    widest = min(260.0, width * 0.5)
    names = [fitted(point.name, widest) for point in points]
    wanted = [
        Wanted(
            xs(point.x),
            ys(point.y),
            max(
                width_of(name) * (_BOLDER if point.leading else 1.0),
                width_of(point.figures, 11) * with_figures,
            ),
            _LINE_PX * (2 if with_figures else 1),
        )
        for point, name in zip(points, names, strict=True)
    ]
    boxes = place(
        wanted, Box(frame.left, 20.0, width, frame.bottom - 2), point_radius=_RADIUS + 2, keep_clear=clear
    )
    drawn: list[Markup] = []
    for point, name, want, box in zip(points, names, wanted, boxes, strict=True):
        if box is not None:
            drawn += _label(point, name, want, box, with_figures)
    return drawn, sum(box is None for box in boxes)


def _label(point: Point, name: str, want: Wanted, box: Box, with_figures: bool) -> list[Markup]:
    toward_left = box.right <= want.x
    anchor, x = ("end", box.right) if toward_left else ("start", box.left)
    if box.left < want.x < box.right:
        anchor, x = "middle", (box.left + box.right) / 2
    class_ = "lbl strong" if point.leading else "lbl"
    drawn = [text(x, box.top + 11, name, class_, anchor)]
    if with_figures:
        drawn.append(text(x, box.top + 25, point.figures, "ax small", anchor))
    link = leader(want, box, longer_than=_LEADER_FROM_PX)
    if link:
        drawn.insert(0, line(*link[0], *link[1], "leader"))
    return drawn
