"""The answer of a run in a few sentences: what to serve, what it costs in speed, and what is not known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reports.data import Row
from reports.goals import Goal, meets_all, met
from reports.names import CellName, cell_names
from reports.numbers import NULL, decimals_of, measured, shown
from reports.ranking import Group, finished, latency_column
from reports.text import Labels
from reports.visible import one_line

_WORTH_SAYING_ERRORS = 0.005
_MOST_NAMES = 3


@dataclass(frozen=True)
class Pick:
    """The best of a group by one criterion: its heading, who (ties together), the value, the rest."""

    title: str
    names: tuple[str, ...]
    value: str
    beside: str


@dataclass(frozen=True)
class Verdict:
    """What one group of comparable rows says: sentences, the headline first, and the best by criterion."""

    simulated: bool
    workload: str
    sentences: tuple[str, ...]
    picks: tuple[Pick, ...]


def verdict_of(group: Group, goals: Sequence[Goal], labels: Labels) -> Verdict:
    """The verdict over one group of comparable rows.

    With goals the choice is among the rows that meet all of them, if there are any; else among all.
    """
    rows = [row for row in group.rows if finished(row)]
    names = cell_names(group.rows, with_workload=False)
    fast = latency_column(rows)
    passing = [row for row in rows if meets_all(goals, row)] if goals else []
    choice = passing or rows
    lead = best_rows(choice, "quality", "score", highest=True)
    sentences = [_headline(lead, rows, group.rows, passing, goals, names, labels)]
    sentences += _speed(lead, choice, fast, names, labels)
    sentences += _warnings(lead, names, labels)
    picks = _picks(rows, fast, names, labels)
    return Verdict(group.simulated, group.workload, tuple(sentences), tuple(picks))


def best_rows(rows: Sequence[Row], column: str, kind: str, *, highest: bool) -> list[Row]:
    """The row with the best value and those that look equal to it as shown; [] if none was measured."""
    known = [row for row in rows if measured(row[column]) is not None]
    if not known:
        return []
    digits = decimals_of(kind, [row[column] for row in known])
    choose: Callable[..., Row] = max if highest else min
    top = shown(choose(known, key=lambda row: float(row[column]))[column], kind, digits)
    return [row for row in known if shown(row[column], kind, digits) == top]


def _headline(
    lead: Sequence[Row],
    rows: Sequence[Row],
    every: Sequence[Row],
    passing: Sequence[Row],
    goals: Sequence[Goal],
    names: dict[str, CellName],
    labels: Labels,
) -> str:
    if not rows:
        return labels("verdict.none_finished", n=len(every))
    if not lead:
        reasons = {one_line(row["quality_reason"], limit=200) for row in rows if row["quality_reason"]}
        return labels(
            "verdict.no_quality", reason="; ".join(sorted(reasons)[:2]) or labels("missing.unknown")
        )
    name, quality = names[lead[0]["cell_id"]], shown(lead[0]["quality"], "score")
    if passing:
        return labels(
            "verdict.meets_goals", names=_joined(lead, names), quality=quality, met=len(passing), n=len(every)
        )
    if goals:
        missed = "; ".join(str(goal) for goal in goals if met(goal, lead[0]) is not True)
        return labels("verdict.misses_goals", name=name, quality=quality, missed=missed)
    if len(lead) > 1:
        return labels("verdict.best_tied", names=_joined(lead, names), quality=quality, n=len(rows))
    return labels(
        "verdict.best" if len(rows) > 1 else "verdict.only", name=name, quality=quality, n=len(rows)
    )


def _speed(
    lead: Sequence[Row], choice: Sequence[Row], fast: str, names: dict[str, CellName], labels: Labels
) -> list[str]:
    """How the fastest of the choice compares with the leader, where there is something to compare."""
    fastest = best_rows(choice, fast, "ms", highest=False)
    if not fastest or len(choice) < 2:
        return []
    metric = labels(f"metric.{fast.removesuffix('_ms')}")
    digits = decimals_of("ms", [row[fast] for row in (*fastest, *lead[:1])])
    ms = shown(fastest[0][fast], "ms", digits)
    if not lead:
        return [labels("verdict.fastest", names=_joined(fastest, names), metric=metric, ms=ms)]
    if lead[0]["cell_id"] in {row["cell_id"] for row in fastest}:
        return [labels("verdict.also_fastest", metric=metric, ms=ms)]
    values = {
        "name": names[fastest[0]["cell_id"]],
        "metric": metric,
        "ms": ms,
        "best_ms": shown(lead[0][fast], "ms", digits),
        "quality": shown(fastest[0]["quality"], "score"),
    }
    return [labels("verdict.trade" if values["quality"] != NULL else "verdict.trade_unscored", **values)]


def _warnings(lead: Sequence[Row], names: dict[str, CellName], labels: Labels) -> list[str]:
    """Errors of the cell that leads; a recommendation must not hide them."""
    for row in lead[:1]:
        rate = measured(row["error_rate"])
        if rate is not None and rate >= _WORTH_SAYING_ERRORS:
            name, n = names[row["cell_id"]], shown(row["n_requests"], "count")
            return [labels("verdict.errors", name=name, percent=shown(rate, "percent"), n=n)]
    return []


def _picks(rows: Sequence[Row], fast: str, names: dict[str, CellName], labels: Labels) -> list[Pick]:
    wanted = (
        ("pick.quality", "quality", "score", True, ""),
        ("pick.fast", fast, "ms", False, "ms"),
        ("pick.throughput", "output_tokens_per_s", "rate", True, "tok/s"),
        ("pick.vram", "vram_peak_mib", "gib", False, "GiB"),
        ("pick.cheap", "usd_per_million_output_tokens", "usd", False, "$/1M"),
    )
    picks = []
    for title, column, kind, highest, unit in wanted:
        best = best_rows(rows, column, kind, highest=highest)
        if best and len(rows) > 1:
            heading = labels(title, metric=labels(f"metric.{fast.removesuffix('_ms')}"))
            value = f"{shown(best[0][column], kind)} {unit}".strip()
            each = tuple(str(names[row["cell_id"]]) for row in best) if len(best) <= _MOST_NAMES else ()
            picks.append(Pick(heading, each, value, _beside(best, column, fast, labels)))
    return picks


def _beside(best: Sequence[Row], column: str, fast: str, labels: Labels) -> str:
    """The other side of a pick: its quality, or its speed where it leads in quality; ties say how many."""
    if len(best) > 1:
        return labels("pick.tied", n=len(best))
    row = best[0]
    if column == "quality" and measured(row[fast]) is not None:
        metric = labels(f"metric.{fast.removesuffix('_ms')}")
        return labels("pick.at_latency", metric=metric, ms=shown(row[fast], "ms"))
    if column == "quality" or measured(row["quality"]) is None:
        return ""
    return labels("pick.at_quality", quality=shown(row["quality"], "score"))


def _joined(rows: Sequence[Row], names: dict[str, CellName]) -> str:
    listed = [str(names[row["cell_id"]]) for row in rows[:_MOST_NAMES]]
    more = len(rows) - len(listed)
    return ", ".join(listed) + (f" (+{more})" if more else "")
