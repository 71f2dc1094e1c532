"""Take a reply apart: its code blocks, its prose, and the one program that is to be judged."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.syntax import defined_names, parse

MAX_REPLY_CHARS = 200_000
"""Longer replies are cut: no answer to a suite's case needs more."""

_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*$")
_PYTHON = frozenset({"", "python", "py", "python3", "py3"})


@dataclass(frozen=True, kw_only=True)
class CodeBlock:
    """A fenced block; `language` is in lower case and empty if the fence names none."""

    language: str
    code: str


@dataclass(frozen=True, kw_only=True)
class ReplyParts:
    """A reply taken apart; a fence that is never closed runs to the end (cut replies)."""

    prose: str
    blocks: tuple[CodeBlock, ...]


def split_reply(text: str) -> ReplyParts:
    """Separate fenced code from prose. A block leaves an empty line in the prose."""
    prose: list[str] = []
    blocks: list[CodeBlock] = []
    code: list[str] | None = None
    fence, language = "", ""
    for line in text[:MAX_REPLY_CHARS].splitlines():
        match = _FENCE.match(line)
        if code is None and match:
            fence, language, code = match.group(2), match.group(3).lower(), []
        elif code is None:
            prose.append(line)
        elif match and match.group(2).startswith(fence) and not match.group(3):
            blocks.append(_block(language, code))
            prose.append("")
            code = None
        else:
            code.append(line)
    if code is not None:
        blocks.append(_block(language, code))
    return ReplyParts(prose="\n".join(prose).strip(), blocks=tuple(blocks))


def _block(language: str, lines: list[str]) -> CodeBlock:
    return CodeBlock(language=language, code=textwrap.dedent("\n".join(lines)).strip("\n") + "\n")


def find_program(text: str, entry_points: Sequence[str]) -> str | None:
    """The program of a reply that defines all `entry_points`, or None if no part of it does.

    Of several blocks that parse and define them the last one counts, as models first quote what was wrong.
    Otherwise all Python blocks together, then the whole reply if it is bare code, then the last block that
    at least begins to define them: that one will be judged as a syntax error.
    """
    blocks = [block.code for block in split_reply(text).blocks if block.language in _PYTHON]
    candidates = [*reversed(blocks), "\n".join(blocks), text[:MAX_REPLY_CHARS]]
    for code in candidates:
        tree = parse(code)
        if tree is not None and set(entry_points) <= defined_names(tree):
            return code
    for code in reversed(blocks):
        if all(re.search(rf"\b(?:def|class)\s+{re.escape(name)}\b", code) for name in entry_points):
            return code
    return None
