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
    """The verdict over one group of comparable rows."""
    rows = [row for row in group.rows if finished(row)]
    names = cell_names(group.rows, with_workload=False)
    fast = latency_column(rows)
    sentences = _headline(rows, group.rows, goals, names, labels)
    sentences += _speed(rows, fast, names, labels)
    sentences += _warnings(rows, names, labels)
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
    rows: Sequence[Row],
    every: Sequence[Row],
    goals: Sequence[Goal],
    names: dict[str, CellName],
    labels: Labels,
) -> list[str]:
    if not rows:
        return [labels("verdict.none_finished", n=len(every))]
    best = best_rows(rows, "quality", "score", highest=True)
    if not best:
        reasons = {one_line(row["quality_reason"], limit=200) for row in rows if row["quality_reason"]}
        return [
            labels("verdict.no_quality", reason="; ".join(sorted(reasons)[:2]) or labels("missing.unknown"))
        ]
    if goals:
        return [_goal_headline(rows, goals, names, labels)]
    quality = shown(best[0]["quality"], "score")
    if len(best) > 1:
        return [labels("verdict.best_tied", names=_joined(best, names), quality=quality, n=len(rows))]
    key = "verdict.best" if len(rows) > 1 else "verdict.only"
    return [labels(key, name=names[best[0]["cell_id"]], quality=quality, n=len(rows))]


def _goal_headline(
    rows: Sequence[Row], goals: Sequence[Goal], names: dict[str, CellName], labels: Labels
) -> str:
    passing = best_rows([row for row in rows if meets_all(goals, row)], "quality", "score", highest=True)
    if passing:
        return labels(
            "verdict.meets_goals",
            names=_joined(passing, names),
            quality=shown(passing[0]["quality"], "score"),
            met=sum(meets_all(goals, row) for row in rows),
            n=len(rows),
        )
    best = best_rows(rows, "quality", "score", highest=True)[0]
    return labels(
        "verdict.misses_goals",
        name=names[best["cell_id"]],
        quality=shown(best["quality"], "score"),
        missed="; ".join(str(goal) for goal in goals if met(goal, best) is not True),
    )


def _speed(rows: Sequence[Row], fast: str, names: dict[str, CellName], labels: Labels) -> list[str]:
    """How the fastest compares with the best: in one sentence, only where both are known and differ."""
    best = best_rows(rows, "quality", "score", highest=True)
    fastest = best_rows(rows, fast, "ms", highest=False)
    if not fastest or len(rows) < 2:
        return []
    metric = labels(f"metric.{fast.removesuffix('_ms')}")
    digits = decimals_of("ms", [row[fast] for row in rows])
    ms = shown(fastest[0][fast], "ms", digits)
    if not best:
        return [labels("verdict.fastest", names=_joined(fastest, names), metric=metric, ms=ms)]
    ids = {row["cell_id"] for row in fastest}
    if best[0]["cell_id"] in ids:
        return [labels("verdict.also_fastest", metric=metric, ms=ms)]
    values = {
        "name": names[fastest[0]["cell_id"]],
        "metric": metric,
        "ms": ms,
        "best_ms": shown(best[0][fast], "ms", digits),
        "quality": shown(fastest[0]["quality"], "score"),
    }
    return [labels("verdict.trade" if values["quality"] != NULL else "verdict.trade_unscored", **values)]


def _warnings(rows: Sequence[Row], names: dict[str, CellName], labels: Labels) -> list[str]:
    """Errors of the cell that leads; a recommendation must not hide them."""
    for row in best_rows(rows, "quality", "score", highest=True)[:1]:
        rate = measured(row["error_rate"])
        if rate is not None and rate >= _WORTH_SAYING_ERRORS:
            name = names[row["cell_id"]]
            return [labels("verdict.errors", name=name, percent=shown(rate, "percent"), n=row["n_requests"])]
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
            each = tuple(str(names[row["cell_id"]]) for row in best[:_MOST_NAMES])
            picks.append(Pick(heading, each, value, _beside(best, column, fast, labels)))
    return picks


def _beside(best: Sequence[Row], column: str, fast: str, labels: Labels) -> str:
    """The other side of a pick: its quality, or its speed where it leads in quality; ties say how many."""
    if len(best) > 1:
        return labels("pick.tied", n=len(best))
    row = best[0]
    if column == "quality":
        metric = labels(f"metric.{fast.removesuffix('_ms')}")
        return labels("pick.at_latency", metric=metric, ms=shown(row[fast], "ms"))
    return labels("pick.at_quality", quality=shown(row["quality"], "score"))


def _joined(rows: Sequence[Row], names: dict[str, CellName]) -> str:
    listed = [str(names[row["cell_id"]]) for row in rows[:_MOST_NAMES]]
    more = len(rows) - len(listed)
    return ", ".join(listed) + (f" (+{more})" if more else "")
