"""From values to pixels, and round numbers for the axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_LOG_FROM_RATIO = 20.0


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to pixels [start, end], straight or by logarithm (`log`, then 0 < low)."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; beyond the ends it is clamped to them."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, self._inside(value)))
        share = (at - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def ticks(self, wanted: int) -> list[float]:
        """At most about `wanted` round numbers inside the domain, ascending."""
        found = _log_ticks(self.low, self.high) if self.log else []
        return _thinned(found, wanted) if len(found) >= 2 else linear_ticks(self.low, self.high, wanted)

    def _inside(self, value: float) -> float:
        return min(max(value, self.low), self.high)


def from_zero(values: Sequence[float], start: float, end: float, *, allow_log: bool = True) -> Scale:
    """A scale for lengths of time or memory: from 0, or logarithmic if the values differ a lot."""
    positive = [value for value in values if math.isfinite(value) and value > 0]
    if not positive:
        return Scale(0.0, 1.0, start, end)
    low, high = min(positive), max(positive)
    if allow_log and high / low > _LOG_FROM_RATIO:
        return Scale(low / 1.3, high * 1.2, start, end, log=True)
    return Scale(0.0, high * 1.06, start, end)


def around(
    values: Sequence[float], start: float, end: float, *, least: float, bounds: tuple[float, float]
) -> Scale:
    """A scale that shows the values with some air, at least `least` wide, within `bounds`."""
    finite = [value for value in values if math.isfinite(value)] or [bounds[0]]
    low, high = min(finite), max(finite)
    air = max((high - low) * 0.15, (least - (high - low)) / 2, 0.0)
    low, high = low - air, high + air
    shift = max(0.0, bounds[0] - low) - max(0.0, high - bounds[1])
    low, high = max(bounds[0], low + shift), min(bounds[1], high + shift)
    return Scale(low, high, start, end)


def linear_ticks(low: float, high: float, wanted: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within [low, high]."""
    rough = (high - low) / max(1, wanted)
    if not rough > 0 or not math.isfinite(rough):
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.7)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def tick_text(value: float) -> str:
    """A round number without needless digits."""
    return f"{value:,.6g}".replace("-", "−") if abs(value) < 1e6 else f"{value:.3g}"


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]


def _thinned(values: list[float], wanted: int) -> list[float]:
    step = max(1, math.ceil(len(values) / max(1, wanted)))
    return values[::step]
