"""How a number is written: unit conversion for the eye, digits, and the dash that stands for NULL."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

NULL = "—"
"""What stands where a value was not measured."""


@dataclass(frozen=True)
class Kind:
    """How values of one sort are shown: `value * factor`, with `decimals` digits (None: as needed)."""

    factor: float
    decimals: int | None


KINDS: dict[str, Kind] = {
    "score": Kind(1.0, 2),  # 0..1 as it is stored
    "percent": Kind(100.0, 1),  # a ratio 0..1, shown in %
    "ms": Kind(1.0, None),
    "s": Kind(0.001, None),  # stored in ms, shown in seconds
    "gib": Kind(1 / 1024, 1),  # stored in MiB
    "rate": Kind(1.0, None),
    "usd": Kind(1.0, None),
    "joule": Kind(1.0, None),
    "watt": Kind(1.0, 0),
    "pct": Kind(1.0, 0),  # already in %
    "count": Kind(1.0, 0),
}


def measured(value: Any) -> float | None:
    """The value as a float; None for NULL and for NaN, which is how some frames write NULL."""
    if value is None:
        return None
    number = float(value)
    return None if math.isnan(number) else number


def decimals_for(values: Iterable[float]) -> int:
    """Digits after the point that show a column's middle value with about three significant digits.

    One number of digits for a whole column keeps its points under each other.
    """
    sizes = sorted(abs(value) for value in values if math.isfinite(value) and value)
    if not sizes:
        return 0
    middle = sizes[len(sizes) // 2]
    return max(0, min(4, 2 - math.floor(math.log10(middle))))


def decimals_of(kind: str, values: Iterable[Any]) -> int:
    """The digits after the point for a column of stored `values` of a kind of `KINDS`."""
    rule = KINDS[kind]
    if rule.decimals is not None:
        return rule.decimals
    return decimals_for(number * rule.factor for value in values if (number := measured(value)) is not None)


def shown(value: Any, kind: str, decimals: int | None = None) -> str:
    """A stored value as text without its unit; `NULL` for None and NaN, ∞ for infinity."""
    number = measured(value)
    if number is None:
        return NULL
    number *= KINDS[kind].factor
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    digits = decimals_of(kind, [value]) if decimals is None else decimals
    text = f"{number:,.{digits}f}"
    return text.replace("-", "−")
