"""Write SVG elements with every attribute and text escaped, and guess how wide a text will be."""

import unicodedata

from markupsafe import Markup, escape

from reports.visible import one_line

FONT_PX = 12.0
"""Size of the text in figures; figures are drawn for the width they are shown at, so it stays readable."""

_NARROW = set("iljtfrI.,:;'|!()[]{}·- ")
_WIDE = set("mwMW@%&…—")


def tag(name: str, /, *children: Markup | str, **attributes: object) -> Markup:
    """One element; `class_` and `data_x` become `class` and `data-x`; an attribute of None is left out."""
    written = [
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _number(value))
        for key, value in attributes.items()
        if value is not None
    ]
    inner = Markup("").join(_child(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), Markup("").join(written), inner)  # noqa: S704


def figure(width: float, height: float, title: str, *children: Markup) -> Markup:
    """An <svg> with an accessible name, as wide as its design and never wider than its place."""
    return tag(
        "svg",
        tag("title", title),
        *children,
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=title,
    )


def text(x: float, y: float, words: str, class_: str = "", anchor: str | None = None) -> Markup:
    """Text with its baseline at y; `anchor` is start, middle or end."""
    return tag("text", words, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: list[tuple[float, float]], class_: str) -> Markup:
    """A polyline through points; nothing for fewer than two."""
    if len(points) < 2:
        return Markup("")
    steps = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
    return tag("polyline", points=steps, class_=class_)


def dots(points: list[tuple[float, float]], class_: str) -> Markup:
    """Many equal marks in one element: zero-length strokes with round caps."""
    if not points:
        return Markup("")
    return tag("path", d="".join(f"M{_number(x)} {_number(y)}h0" for x, y in points), class_=class_)


def width_of(words: str, size_px: float = FONT_PX) -> float:
    """Roughly how wide a text is drawn, in px; rather too wide than too narrow."""
    return sum(_em(char) for char in words) * size_px


def fitted(words: str, width_px: float, size_px: float = FONT_PX) -> str:
    """The text, cut with an ellipsis in its middle if it would be wider than `width_px`."""
    if width_of(words, size_px) <= width_px:
        return words
    for kept in range(len(words) - 1, 1, -1):
        head = (kept + 1) // 2
        cut = f"{words[:head]}…{words[len(words) - (kept - head) :]}"
        if width_of(cut, size_px) <= width_px:
            return cut
    return "…"


def _em(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF":
        return 1.0
    if char in _NARROW:
        return 0.36
    if char in _WIDE:
        return 0.95
    return 0.7 if char.isupper() else 0.6


def _child(child: Markup | str) -> Markup:
    return child if isinstance(child, Markup) else escape(one_line(child))


def _number(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else one_line(value)
