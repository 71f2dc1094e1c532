"""What a cell is called: its model, and only what tells it apart from the other cells shown beside it."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.data import Row
from reports.visible import one_line, shortened

_LONGEST_MODEL = 38
_LONGEST_DETAIL = 60
_OWNER = re.compile(r"^[\w.-]+/(?=[\w.:…-]+$)")


@dataclass(frozen=True)
class CellName:
    """A cell's model and the rest of what identifies it among its neighbours ('' if nothing is needed)."""

    model: str
    detail: str

    def __str__(self) -> str:
        return f"{self.model} · {self.detail}" if self.detail else self.model


def settings_of(row: Row) -> dict[str, str]:
    """The settings of a row, one level deep, as text; JSON text or a mapping."""
    raw = row.get("settings")
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except ValueError:
            return {"settings": raw} if isinstance(raw, str) and raw else {}
    if not isinstance(raw, Mapping):
        return {} if raw is None else {"settings": str(raw)}
    return {str(key): _plain(value) for key, value in raw.items()}


def cell_names(rows: Sequence[Row], *, with_workload: bool = True) -> dict[str, CellName]:
    """A name for each cell_id of `rows`; cells that would look alike get their cell_id added."""
    settings = {row["cell_id"]: settings_of(row) for row in rows}
    varying = _varying(list(settings.values()))
    several = {key: len({row[key] for row in rows}) > 1 for key in ("target", "workload")}
    names: dict[str, CellName] = {}
    for row in rows:
        parts = [one_line(row["target"])] if several["target"] else []
        parts += [f"{key} {settings[row['cell_id']].get(key, '∅')}" for key in varying]
        if with_workload and several["workload"]:
            parts.append(one_line(row["workload"]))
        detail = shortened(one_line(" · ".join(parts)), _LONGEST_DETAIL)
        names[row["cell_id"]] = CellName(shortened(one_line(row["model"]), _LONGEST_MODEL), detail)
    return _told_apart(names)


def short_names(names: Mapping[str, CellName]) -> dict[str, CellName]:
    """The same without the models' owners (`owner/model`), for figures; unchanged if two would look alike."""
    short = {cell: CellName(_OWNER.sub("", name.model), name.detail) for cell, name in names.items()}
    return short if len(set(short.values())) == len(names) else dict(names)


def _varying(settings: list[dict[str, str]]) -> list[str]:
    keys = {key: None for each in settings for key in each}
    return [key for key in keys if len({each.get(key) for each in settings}) > 1]


def _told_apart(names: dict[str, CellName]) -> dict[str, CellName]:
    seen = Counter(names.values())
    return {
        cell_id: name
        if seen[name] == 1
        else CellName(name.model, " · ".join(part for part in (name.detail, one_line(cell_id)) if part))
        for cell_id, name in names.items()
    }


def _plain(value: Any) -> str:
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
