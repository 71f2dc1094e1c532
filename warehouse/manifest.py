"""A landing's place on disk and its manifest: what was landed, and whether it is still whole.

A landing is the folder ROOT/RUN/CELL/ATTEMPT/STAGE with one Parquet file per table and `manifest.json`,
which is written last. Rows of the run itself lie in ROOT/RUN/run/0/PART. A folder whose name begins with
a dot is still being written, or was left by a writer that was killed.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from warehouse.errors import LandingError

RUN_CELL = "run"
"""The reserved cell name under which the run's own rows lie."""

MANIFEST = "manifest.json"

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which stage of which attempt at which cell; `attempt` counts from 1, 0 for the run's own rows."""

    run_id: str
    cell_id: str
    attempt: int
    stage: str

    def folder(self, root: Path) -> Path:
        """Where the landing lies."""
        return root / self.run_id / self.cell_id / str(self.attempt) / self.stage


@dataclass(frozen=True, kw_only=True)
class LandedFile:
    """One table's file as it was written."""

    n_rows: int
    n_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a landing says it holds; `written_unix_ns` orders landings that describe the same row."""

    place: Place
    simulated: bool
    schema_version: int
    written_unix_ns: int
    tables: dict[str, LandedFile] = field(default_factory=dict)

    def to_json(self) -> str:
        """The manifest as the text of its file."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)


def checked_place(run_id: str, cell_id: str, attempt: int, stage: str) -> Place:
    """A place whose names cannot leave the landing's root.

    Raises:
        LandingError: a name is empty, too long, begins with a dot or has other characters than
            letters, digits, dot, underscore and hyphen.
    """
    for what, name in (("run_id", run_id), ("cell_id", cell_id), ("stage", stage)):
        if not _NAME.fullmatch(name):
            raise LandingError(
                f"landing: {what} {name[:80]!r} is not a name of letters, digits, '.', '_', '-' "
                "(at most 120, not beginning with '.')"
            )
    if attempt < 0:
        raise LandingError(f"landing: attempt {attempt} is below 0")
    return Place(run_id=run_id, cell_id=cell_id, attempt=attempt, stage=stage)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a landing.

    Raises:
        LandingError: it is missing, is not one, or names another place than the folder it lies in.
    """
    try:
        data = json.loads((folder / MANIFEST).read_text("utf-8"))
        manifest = Manifest(
            place=Place(**data.pop("place")),
            tables={table: LandedFile(**file) for table, file in data.pop("tables").items()},
            **data,
        )
    except FileNotFoundError:
        raise LandingError(f"{folder}: no {MANIFEST}") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LandingError(f"{folder}: {MANIFEST} cannot be read: {type(error).__name__}: {error}") from None
    place = manifest.place
    if (place.run_id, place.cell_id, str(place.attempt), place.stage) != folder.parts[-4:]:
        raise LandingError(f"{folder}: {MANIFEST} is that of another landing")
    return manifest


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare the files of a landing with its manifest, byte for byte.

    Raises:
        LandingError: a file is missing, too many, or not the one that was written.
    """
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    listed = {f"{table}.parquet" for table in manifest.tables}
    if present != listed:
        raise LandingError(f"{folder}: files and manifest differ: {', '.join(sorted(present ^ listed))}")
    for table, file in manifest.tables.items():
        path = folder / f"{table}.parquet"
        if path.stat().st_size != file.n_bytes or file_sha256(path) != file.sha256:
            raise LandingError(f"{path}: not the file that was written (size or SHA-256 differs)")


def landing_folders(root: Path, run_id: str | None = None) -> Iterator[Path]:
    """Every landing of a run (of all runs), no temporary ones; sorted, so that the order is stable."""
    runs = [root / run_id] if run_id is not None else _folders(root)
    for run in runs:
        for cell in _folders(run):
            for attempt in _folders(cell):
                yield from _folders(attempt)


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(p for p in parent.iterdir() if p.is_dir() and _NAME.fullmatch(p.name))
