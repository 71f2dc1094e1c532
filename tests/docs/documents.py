"""The documents as tests read them: sections, tables, code spans, commands and SQL."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Command:
    """One command line of a document; `in_block` tells a line to type from one that is only spoken of."""

    document: str
    text: str
    in_block: bool


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def section(text: str, heading: str) -> str:
    """What stands under a heading, down to the next one of its level or above."""
    level = heading.split(" ")[0]
    rest = text.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in a text, without heads and rules."""
    found = []
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not following.startswith("|---") and not line.startswith("|---"):
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
    return found


def words(text: str) -> set[str]:
    """Every identifier inside a code span."""
    return {word for span in _SPAN.findall(text) for word in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", span)}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [body for found, body in _FENCE.findall(text) if found == language]


def is_call(line: str, program: str) -> bool:
    """Whether a line calls the program with something; its bare name is no call."""
    head, *rest = line.split() or [""]
    return head == program and bool(rest)


def commands(program: str) -> Iterator[Command]:
    """Every command line of `program` in any document."""
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        name = str(path.relative_to(ROOT))
        indented = re.findall(r"^ {4}(\S.*)$", _FENCE.sub("", text), re.MULTILINE)
        lines = [line for body in blocks(text, "sh") for line in body.splitlines()] + indented
        for line in lines:
            if is_call(line.split("#")[0], program):
                yield Command(name, line, True)
        for span in _SPAN.findall(_FENCE.sub("", text)):
            if is_call(span, program):
                yield Command(name, span, False)


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Every tracked text file but the lock file."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if name != "uv.lock" and path.is_file():
            data = path.read_bytes()
            if b"\0" not in data:
                yield name, data.decode("utf-8")
