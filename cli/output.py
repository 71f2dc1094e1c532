"""How verbs speak: JSON for programs, tables for people, the language asked for."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.yaml_lines import ConfigError

Lang = Literal["en", "ko"]


def add_json(parser: argparse.ArgumentParser) -> None:
    """Offer `--json [FILE]`."""
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write JSON to FILE, or to standard output"
    )


def add_lang(parser: argparse.ArgumentParser) -> None:
    """Offer `--lang`; the default follows BAKEOFF_LANG, then the locale."""
    parser.add_argument(
        "--lang", choices=("en", "ko"), default=default_lang(), help="language of what is shown"
    )


def default_lang() -> Lang:
    """`ko` if BAKEOFF_LANG or the locale's variables say Korean, else `en`."""
    names = ("BAKEOFF_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    first = next((os.environ[n] for n in names if os.environ.get(n)), "en")
    return "ko" if first.lower().startswith("ko") else "en"


def write_json(value: Any, where: str) -> None:
    """Write `value` as JSON to the file `where`, `-` being standard output; infinities become null."""
    text = json.dumps(_plain(value), ensure_ascii=False, indent=2, allow_nan=False)
    if where == "-":
        print(text)
    else:
        try:
            Path(where).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--json {where}: cannot be written: {error.strerror}") from None


def check_data_dir(data: Path) -> None:
    """Make sure that the data folder is one, or can be made, and can be written; makes nothing.

    Raises:
        ConfigError: it cannot, and why.
    """
    place = next(p for p in (data, *data.parents) if os.path.lexists(p))
    try:
        with tempfile.TemporaryDirectory(prefix=".bakeoff-", dir=place):
            pass
    except OSError as error:
        raise ConfigError(
            f"the data folder {data} cannot be written: {error.strerror}; BAKEOFF_DATA names another"
        ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def command() -> str:
    """How to call this command from where the user stands: `bakeoff` if the PATH has it, else its file."""
    own = Path(sys.argv[0])
    if shutil.which("bakeoff") or own.name != "bakeoff":
        return "bakeoff"
    return os.path.relpath(own)


class PatientConsole(Console):
    """A console whose reader may leave (`… | head`) without ending what is shown: the rest goes nowhere."""

    def on_broken_pipe(self) -> None:
        """Say once, where it still may be read, that nothing more will be shown."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)
        if not self.stderr:
            print("the output is closed; going on without showing it", file=sys.stderr)


def console(*, stderr: bool = False, patient: bool = False) -> Console:
    """Standard output or error; as wide as the terminal, or wide enough for any table when it is not one."""
    stream = sys.stderr if stderr else sys.stdout
    kind = PatientConsole if patient else Console
    return kind(stderr=stderr, width=None if stream.isatty() else 220, highlight=False)


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as a table; NULL is shown as such, numbers stand to the right."""
    held = [list(row) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        numeric = any(isinstance(r[i], (int, float, Decimal)) for r in held if not isinstance(r[i], bool))
        table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in held:
        table.add_row(*(Text(_shown(value)) for value in row))
    console().print(table)


def _shown(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return str(value)
