"""The pretended graphics card: utilisation, power, energy and temperature as functions of time and load."""

import math
from dataclasses import dataclass, replace

IDLE_W = 62.0
FULL_W = 345.0
_AMBIENT_C = 34.0
_RISE_AT_FULL_C = 42.0
_TIME_CONSTANT_S = 8.0


@dataclass(frozen=True, kw_only=True)
class Card:
    """State at `t_ns`: `energy_mj` is a running counter; `utilization_pct` holds from `t_ns` on."""

    t_ns: int
    utilization_pct: float = 0.0
    energy_mj: float = 0.0
    temperature_c: float = _AMBIENT_C


def utilization_pct(busy: int, slots: int) -> float:
    """Share of time the card works while `busy` of `slots` sequences run; one keeps it fairly busy."""
    return 0.0 if busy == 0 else 45.0 + 55.0 * busy / slots


def power_w(card: Card) -> float:
    """Power in watts, linear in utilisation."""
    return IDLE_W + (FULL_W - IDLE_W) * card.utilization_pct / 100


def elapse(card: Card, now_ns: int) -> Card:
    """The card at `now_ns` under unchanged load.

    The result does not depend on how often it is asked: energy is an integral of constant power, temperature
    nears its target exponentially.
    """
    seconds = (now_ns - card.t_ns) / 1e9
    target_c = _AMBIENT_C + _RISE_AT_FULL_C * card.utilization_pct / 100
    decay = math.exp(-seconds / _TIME_CONSTANT_S)
    return replace(
        card,
        t_ns=now_ns,
        energy_mj=card.energy_mj + power_w(card) * seconds * 1000,
        temperature_c=target_c + (card.temperature_c - target_c) * decay,
    )


def loaded(card: Card, now_ns: int, pct: float) -> Card:
    """The card at `now_ns`, working at `pct` percent from then on."""
    return replace(elapse(card, now_ns), utilization_pct=pct)
