"""Which of an experiment's goals a run has missed: pure."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from flows.schema import GoalConfig

_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}


def missed_goals(goals: Sequence[GoalConfig], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each goal that is not met.

    A goal of scope `any` is met if one cell meets it, of scope `every` if all do. An unknown value (NULL)
    meets nothing.

    Args:
        goals: as in the experiment file.
        rows: the run's rows of the `leaderboard` view.
    """
    missed = []
    for goal in goals:
        met = [_meets(goal, row[goal.metric]) for row in rows]
        if not (any(met) if goal.scope == "any" else bool(met) and all(met)):
            want = f"{goal.metric} {goal.comparison} {goal.value:g}"
            whom = "by no cell" if goal.scope == "any" else f"by {sum(met)} of {len(met)} cells"
            missed.append(f"{want} is met {whom}")
    return missed


def _meets(goal: GoalConfig, value: float | None) -> bool:
    return value is not None and _COMPARE[goal.comparison](value, goal.value)
