"""Latency percentiles: p50, p95 and p99 of a cell on one line; nothing where samples do not suffice."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts.rows import Panel, row_panels
from reports.charts.scales import Scale, from_zero
from reports.charts.svg import line, tag, text

_RADII = {"p50": 5.0, "p95": 4.0, "p99": 3.0}


@dataclass(frozen=True)
class Spread:
    """One cell's percentiles of one metric in ms; None where not known; `reason` if none is known."""

    p50: float | None
    p95: float | None
    p99: float | None
    reason: str

    def known(self) -> list[tuple[str, float]]:
        """The percentiles that are known, from low to high."""
        pairs = (("p50", self.p50), ("p95", self.p95), ("p99", self.p99))
        return [(name, value) for name, value in pairs if value is not None]


@dataclass(frozen=True)
class Metric:
    """One panel: its heading with unit and one entry per cell."""

    title: str
    spreads: Sequence[Spread]


def latency(title: str, names: Sequence[str], metrics: Sequence[Metric], *, width: float) -> Markup:
    """The figure; each panel has its own scale, from 0 or logarithmic."""
    return row_panels(title, names, [_panel(metric) for metric in metrics], width=width)


def _panel(metric: Metric) -> Panel:
    values = [value for spread in metric.spreads for _, value in spread.known()]

    def draw(index: int, scale: Scale, y: float) -> list[Markup]:
        return _entry(metric.spreads[index], scale, y)

    return Panel(metric.title, lambda left, right: from_zero(values, left + 4, right - 6), draw)


def _entry(spread: Spread, scale: Scale, y: float) -> list[Markup]:
    known = spread.known()
    if not known:
        return [tag("text", tag("title", spread.reason), "—", x=scale(scale.low), y=y + 4, class_="ax null")]
    drawn = [line(scale(known[0][1]), y, scale(known[-1][1]), y, "range")]
    for name, value in reversed(known):
        title = tag("title", f"{name} {value:,.1f} ms")
        drawn.append(tag("circle", title, cx=scale(value), cy=y, r=_RADII[name], class_=f"dot {name}"))
    return drawn


def legend(*, width: float) -> Markup:
    """What the three sizes of mark mean."""
    drawn = []
    for index, (name, radius) in enumerate(_RADII.items()):
        x = 8.0 + index * 62
        drawn += [tag("circle", cx=x, cy=9.0, r=radius, class_=f"dot {name}"), text(x + 10, 13, name, "ax")]
    return tag("svg", *drawn, width=min(width, 200.0), height=18, aria_hidden="true")
