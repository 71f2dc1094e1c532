"""Which rows may be compared, in which order, and which of them lead on the way from fast to good."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.data import OK, Row
from reports.numbers import measured


@dataclass(frozen=True)
class Group:
    """Rows that may be compared: one workload, all simulated or all real; best quality first."""

    simulated: bool
    workload: str
    rows: tuple[Row, ...]


def comparable_groups(rows: Sequence[Row]) -> list[Group]:
    """The rows by workload in order of first appearance, real ones before simulated ones, never together."""
    found: dict[tuple[bool, str], list[Row]] = {}
    for row in rows:
        found.setdefault((bool(row["simulated"]), str(row["workload"])), []).append(row)
    ordered = sorted(found.items(), key=lambda item: item[0][0])
    return [Group(simulated, workload, tuple(ranked(each))) for (simulated, workload), each in ordered]


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Best quality first, then lowest p95, p50 of TTFT; what was not measured last; failed cells last."""
    return sorted(rows, key=_rank_key)


def finished(row: Row) -> bool:
    """Whether the cell's stages all ended well."""
    return row["outcome"] in OK


def latency_column(rows: Sequence[Row], metric: str = "ttft") -> str:
    """The percentile by which all these rows can be compared.

    p95 if every row that has a median has a p95 too, else p50: a mix would compare different things.
    """
    with_median = [row for row in rows if measured(row[f"{metric}_p50_ms"]) is not None]
    all_p95 = with_median and all(measured(row[f"{metric}_p95_ms"]) is not None for row in with_median)
    return f"{metric}_p95_ms" if all_p95 else f"{metric}_p50_ms"


def frontier(rows: Sequence[Row], fast: str, good: str = "quality") -> set[str]:
    """The cell_ids that no other row beats or equals in both `fast` (lower) and `good` (higher).

    Rows without either value take no part. Rows that are equal in both are all on the frontier.
    """
    points = [(row["cell_id"], measured(row[fast]), measured(row[good])) for row in rows]
    known = [(cell, x, y) for cell, x, y in points if x is not None and y is not None]
    return {
        cell
        for cell, x, y in known
        if not any(x2 <= x and y2 >= y and (x2, y2) != (x, y) for _, x2, y2 in known)
    }


def _rank_key(row: Row) -> tuple[bool, bool, float, float, float, str]:
    quality = measured(row["quality"])
    p95, p50 = measured(row["ttft_p95_ms"]), measured(row["ttft_p50_ms"])
    far = float("inf")
    return (
        not finished(row),
        quality is None,
        -quality if quality is not None else far,
        p95 if p95 is not None else far,
        p50 if p50 is not None else far,
        str(row["cell_id"]),
    )
