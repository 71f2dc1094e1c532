"""The quality profile: a dot per cell and judgement with its value and n, never an area."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts.rows import Panel, row_panels
from reports.charts.scales import Scale
from reports.charts.svg import tag, text


@dataclass(frozen=True)
class Judged:
    """The mean of one judgement over a cell's answers, 0..1, and how many; None and why if there is none."""

    value: float | None
    n: int | None
    reason: str


@dataclass(frozen=True)
class Judgement:
    """One panel: its heading and one entry per cell."""

    title: str
    values: Sequence[Judged]


def profile(title: str, names: Sequence[str], judgements: Sequence[Judgement], *, width: float) -> Markup:
    """The figure; all panels run from 0 to 1."""
    return row_panels(title, names, [_panel(judgement) for judgement in judgements], width=width)


def _panel(judgement: Judgement) -> Panel:
    def draw(index: int, scale: Scale, y: float) -> list[Markup]:
        return _entry(judgement.values[index], scale, y)

    return Panel(judgement.title, lambda left, right: Scale(0.0, 1.0, left + 4, right - 6), draw)


def _entry(judged: Judged, scale: Scale, y: float) -> list[Markup]:
    if judged.value is None:
        dash = tag("text", tag("title", judged.reason), "—", x=scale(0.0), y=y + 4, class_="ax null")
        return [dash]
    x = scale(judged.value)
    words = f"{judged.value:.2f}" + (f" n={judged.n}" if judged.n is not None else "")
    on_right = judged.value < 0.5
    label = text(x + 9 if on_right else x - 9, y + 4, words, "ax small halo", "start" if on_right else "end")
    return [label, tag("circle", tag("title", words), cx=x, cy=y, r=4.5, class_="dot lead")]
