"""The frame of figures that have one row per cell: panels side by side, or stacked where it is narrow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts.scales import Scale, tick_text
from reports.charts.svg import figure, fitted, line, text, width_of

ROW_PX = 26.0
_HEAD_PX = 24.0
_FOOT_PX = 26.0
_GAP_PX = 30.0
_NARROW_PX = 640.0


@dataclass(frozen=True)
class Panel:
    """One measure for all rows: its heading, its scale for a span of pixels, how to draw row i at y."""

    title: str
    scale: Callable[[float, float], Scale]
    draw: Callable[[int, Scale, float], list[Markup]]


def row_panels(title: str, names: Sequence[str], panels: Sequence[Panel], *, width: float) -> Markup:
    """All panels over the same rows; narrow figures repeat the names in each panel."""
    side_by_side = width >= _NARROW_PX
    share = 0.24 if side_by_side else 0.4
    names_px = min(max((width_of(name) for name in names), default=0.0) + 14, width * share)
    columns = len(panels) if side_by_side else 1
    panel_px = (width - names_px - 10 - _GAP_PX * (columns - 1)) / columns
    block_px = _HEAD_PX + ROW_PX * len(names) + _FOOT_PX
    drawn: list[Markup] = []
    for index, panel in enumerate(panels):
        left = names_px + (index % columns) * (panel_px + _GAP_PX)
        top = (index // columns) * (block_px + 10)
        if index % columns == 0:
            drawn += _names(names, names_px, top)
        drawn += _panel(panel, len(names), left, left + panel_px, top)
    blocks = -(-len(panels) // columns)
    return figure(width, blocks * (block_px + 10), title, *drawn)


def row_middle(index: int, top: float) -> float:
    """The height of the middle of a row."""
    return top + _HEAD_PX + ROW_PX * (index + 0.5)


def _names(names: Sequence[str], names_px: float, top: float) -> list[Markup]:
    return [
        text(0, row_middle(i, top) + 4, fitted(name, names_px - 12), "lbl") for i, name in enumerate(names)
    ]


def _panel(panel: Panel, n_rows: int, left: float, right: float, top: float) -> list[Markup]:
    scale = panel.scale(left, right)
    bottom = top + _HEAD_PX + ROW_PX * n_rows
    drawn = [text(left, top + 13, panel.title, "ax title")]
    for value in scale.ticks(max(2, int((right - left) / 62))):
        drawn.append(line(scale(value), top + _HEAD_PX, scale(value), bottom, "grid"))
        drawn.append(text(scale(value), bottom + 16, tick_text(value), "ax", "middle"))
    for index in range(n_rows):
        y = row_middle(index, top)
        drawn.append(line(left, y, right, y, "row"))
        drawn += panel.draw(index, scale, y)
    return drawn
