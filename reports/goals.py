"""Whether a cell meets the goals its experiment set."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt
from typing import Any

from reports.data import Row
from reports.numbers import measured

COMPARISONS: dict[str, Callable[[float, float], bool]] = {"<=": le, "<": lt, ">=": ge, ">": gt, "==": eq}
"""The comparisons a goal may use."""


@dataclass(frozen=True)
class Goal:
    """`metric` is a column of the leaderboard, in that column's unit; `scope` is `any` or `every` cell."""

    metric: str
    comparison: str
    value: float
    scope: str = "any"

    def __str__(self) -> str:
        sign = {"<=": "≤", ">=": "≥", "==": "="}.get(self.comparison, self.comparison)
        return f"{self.metric} {sign} {self.value:g}"


def goals_of(run: Row) -> list[Goal]:
    """The goals of a run, from `runs.goals`: JSON text, a list of mappings, or None.

    Raises:
        ValueError: a goal lacks a key or compares in an unknown way.
    """
    raw: Any = run.get("goals")
    listed = json.loads(raw) if isinstance(raw, str) else raw
    try:
        goals = [
            Goal(str(g["metric"]), str(g["comparison"]), float(g["value"]), str(g.get("scope", "any")))
            for g in listed or []
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"goals {raw!r}: expected a list of metric, comparison, value") from error
    for goal in goals:
        if goal.comparison not in COMPARISONS:
            raise ValueError(
                f"goal {goal.metric}: comparison {goal.comparison!r}, expected {' '.join(COMPARISONS)}"
            )
    return goals


def met(goal: Goal, row: Row) -> bool | None:
    """True or False; None where the metric was not measured or is no column of the row."""
    value = measured(row.get(goal.metric))
    return None if value is None else COMPARISONS[goal.comparison](value, goal.value)


def meets_all(goals: Sequence[Goal], row: Row) -> bool:
    """Whether every goal is known to be met; a metric that was not measured meets nothing."""
    return all(met(goal, row) is True for goal in goals)


def holds(goal: Goal, rows: Sequence[Row]) -> bool:
    """Whether the run reached a goal: by one cell or by every cell, as its scope says.

    A cell whose metric was not measured does not meet it; without rows no goal holds.
    """
    each = [met(goal, row) is True for row in rows]
    return bool(each) and (all(each) if goal.scope == "every" else any(each))
