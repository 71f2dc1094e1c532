"""The ids of experiments and runs."""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from flows.yaml_lines import ConfigError

RUN_ID = re.compile(r"R\d{8}T\d{6}Z-[0-9a-f]{4}")


def new_run_id(now: datetime) -> str:
    """An id that sorts by time and that two runs of one second do not share, such as R20261121T023000Z-9f3a."""
    return f"R{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{os.urandom(2).hex()}"


def experiment_id(given: str | None, name: str, folder: Path, now: datetime) -> str:
    """The experiment's id: the one in its file, else the one drawn for its name, else a new one.

    A drawn id is `EXP-YYYYMMDD-NN` with the day of its first run and the next free number; it is kept as
    a file in `folder`, created exclusively, so that two runs starting together never share a number.
    """
    if given is not None:
        return given
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(folder.glob("EXP-*.json")):
        if json.loads(file.read_text(encoding="utf-8")).get("name") == name:
            return file.stem
    number = 1
    while True:
        path = folder / f"EXP-{now:%Y%m%d}-{number:02d}.json"
        try:
            with path.open("x", encoding="utf-8") as file_:
                json.dump({"name": name}, file_)
            return path.stem
        except FileExistsError:
            number += 1


def check_run_id(run_id: str) -> str:
    """Return `run_id` if it has the shape of one.

    Raises:
        ConfigError: it has not; it could be anything, so it never becomes a path.
    """
    if not RUN_ID.fullmatch(run_id):
        raise ConfigError(f"run {run_id!r}: not a run id; expected one like R20261121T023000Z-9f3a")
    return run_id
