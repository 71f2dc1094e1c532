"""The ids of experiments and runs."""

import fcntl
import itertools
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from flows.yaml_lines import ConfigError

RUN_ID = re.compile(r"R\d{8}T\d{6}Z-[0-9a-f]{4}")


def new_run_id(now: datetime) -> str:
    """An id such as R20261121T023000Z-9f3a: it sorts by time, and runs of one second differ in the tail."""
    return f"R{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{os.urandom(2).hex()}"


def experiment_id(given: str | None, name: str, folder: Path, now: datetime) -> str:
    """The experiment's id: the one in its file, else the one drawn for its name, else a new one.

    A drawn id is `EXP-YYYYMMDD-NN` with the day of its first run and the next free number; it is kept as
    a file in `folder`. The folder's lock makes looking and drawing one step for runs that start together.
    """
    if given is not None:
        return given
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        drawn = {file.stem: file.read_text(encoding="utf-8") for file in folder.glob("EXP-*.txt")}
        kept = sorted(key for key, owner in drawn.items() if owner == name)
        if kept:
            return kept[0]
        numbers = (f"EXP-{now:%Y%m%d}-{number:02d}" for number in itertools.count(1))
        new = next(number for number in numbers if number not in drawn)
        (folder / f"{new}.txt").write_text(name, encoding="utf-8")
        return new


def check_run_id(run_id: str) -> str:
    """Return `run_id` if it has the shape of one.

    Raises:
        ConfigError: it has not; it could be anything, so it never becomes a path.
    """
    if not RUN_ID.fullmatch(run_id):
        raise ConfigError(f"run {run_id!r}: not a run id; expected one like R20261121T023000Z-9f3a")
    return run_id
