"""How alike two pieces of work are built: programs by their syntax trees, texts by their blocks and words.

Programs: invariant to identifiers, comments, docstrings, formatting, annotations and literal values; not to
the order of statements, the form of control flow, operators and the names of called attributes. Each formula
is chance-corrected: unrelated programs already share much of Python's grammar.
"""

import ast
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from evaluators import prose

CODE_FLOOR = 0.50
"""What unrelated programs reach: the 80th percentile over 2000 random pairs of HumanEval's canonical
solutions (median 0.42, 90th percentile 0.54), names made equal. 93 % of such pairs then score 0.1 or less."""

TEXT_FLOOR = 0.35
"""What unrelated replies reach: the median over pairs of the planted answers to different review and design
cases (English 0.36, Korean 0.32)."""


@dataclass(frozen=True, kw_only=True)
class _Unit:
    """A function, class or the remaining statements of a module; `labels` in bracketed pre-order."""

    name: str
    labels: tuple[str, ...]
    subtrees: Counter[Hashable]


def code_similarity(left: ast.Module, right: ast.Module) -> float:
    """Likeness of two programs in [0, 1]: 1 for the same structure, 0 for what chance alone gives."""
    return corrected(raw_code_similarity(left, right), CODE_FLOOR)


def corrected(similarity: float, floor: float) -> float:
    """A similarity above its chance floor, scaled to [0, 1] and cut at 0."""
    return max(0.0, (similarity - floor) / (1.0 - floor))


def raw_code_similarity(left: ast.Module, right: ast.Module) -> float:
    """Likeness before the correction: units matched by name, then by likeness, weighted by their size."""
    lefts, rights = _units(left), _units(right)
    total = weight_sum = 0.0
    for a, b in _matched(lefts, rights):
        weight = max(len(unit.labels) for unit in (a, b) if unit is not None)
        weight_sum += weight
        if a is not None and b is not None:
            total += weight * _unit_similarity(a, b)
    return total / weight_sum if weight_sum else 1.0


def _matched(lefts: list[_Unit], rights: list[_Unit]) -> Iterator[tuple[_Unit | None, _Unit | None]]:
    by_name = {unit.name: unit for unit in rights}
    rest: list[_Unit] = []
    for unit in lefts:
        other = by_name.pop(unit.name, None)
        if other is None:
            rest.append(unit)
        else:
            yield unit, other
    others = list(by_name.values())
    pairs = sorted(
        ((_unit_similarity(a, b), i, j) for i, a in enumerate(rest) for j, b in enumerate(others)),
        reverse=True,
    )
    used_left: set[int] = set()
    used_right: set[int] = set()
    for _, i, j in pairs:
        if i not in used_left and j not in used_right:
            used_left.add(i)
            used_right.add(j)
            yield rest[i], others[j]
    yield from ((unit, None) for i, unit in enumerate(rest) if i not in used_left)
    yield from ((None, unit) for j, unit in enumerate(others) if j not in used_right)


def _unit_similarity(a: _Unit, b: _Unit) -> float:
    indel = Indel.normalized_similarity(a.labels, b.labels)
    shared = sum((a.subtrees & b.subtrees).values())
    n = a.subtrees.total() + b.subtrees.total()
    dice = 2.0 * shared / n if n else 1.0
    return (indel + dice) / 2.0


def _units(tree: ast.Module) -> list[_Unit]:
    units: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        units.setdefault(node.name if named else "", []).append(node)  # type: ignore[attr-defined]
    made = [_unit(name, nodes) for name, nodes in units.items()]
    return [unit for unit in made if unit.labels]


def _unit(name: str, nodes: Sequence[ast.stmt]) -> _Unit:
    labels: list[str] = []
    subtrees: Counter[Hashable] = Counter()
    for node in _without_docstring(nodes):
        _walk(node, labels, subtrees, called=False)
    return _Unit(name=name, labels=tuple(labels), subtrees=subtrees)


def _without_docstring(body: Sequence[ast.stmt]) -> Sequence[ast.stmt]:
    first = body[0] if body else None
    text = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return body[1:] if text else body


def _walk(node: ast.AST, labels: list[str], subtrees: Counter[Hashable], *, called: bool) -> int:
    """Append the labels of a tree and count its subtrees; returns the subtree's hash.

    Trees come from `syntax.parse`, whose size bounds the depth that Python's own parser lets through.
    """
    label = _label(node, called)
    labels.append(label)
    parts: list[Hashable] = [label]
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "ctx", "type_comment", "type_params"):
            continue
        children = value if isinstance(value, list) else [value]
        if field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            children = list(_without_docstring(children))
        for child in children:
            if isinstance(child, ast.AST):
                parts.append(_walk(child, labels, subtrees, called=field == "func"))
    if len(parts) > 1:
        labels.append(")")
    fingerprint = hash(tuple(parts))
    subtrees[fingerprint] += 1
    return fingerprint


def _label(node: ast.AST, called: bool) -> str:
    if isinstance(node, ast.AnnAssign):
        return "Assign"
    own = (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    )
    if isinstance(node, ast.Attribute) and (called or not own):
        return f"Attribute:{node.attr}"
    return type(node).__name__


def text_similarity(left: str, right: str) -> float:
    """Likeness of two replies in prose in [0, 1]: half their sequence of blocks, half their words."""
    return corrected(raw_text_similarity(left, right), TEXT_FLOOR)


def raw_text_similarity(left: str, right: str) -> float:
    """Likeness of two texts before the correction."""
    blocks = Indel.normalized_similarity(_skeleton(left), _skeleton(right))
    a, b = (prose.normal(text).casefold() for text in (left, right))
    longer = max(len(a), len(b))
    # both halves take a part for the whole: a text of one shared word in one paragraph would be "alike"
    length = min(len(a), len(b)) / longer if longer else 1.0
    return 0.5 * min(1.0, 2.0 * length) * blocks + 0.5 * length * fuzz.token_set_ratio(a, b) / 100.0


_BLOCKS = (
    (re.compile(r"^\s*(?:`{3,}|~{3,})"), "fence"),
    (re.compile(r"^(#{1,6})\s"), "heading"),
    (re.compile(r"^\s*\|.*\|\s*$"), "table"),
    (re.compile(r"^\s*\d+[.)]\s"), "numbered"),
    (re.compile(r"^\s*[-*+•]\s"), "bullet"),
)


def _skeleton(text: str) -> tuple[str, ...]:
    """Types of a text's blocks in order; a fence counts once, a paragraph is whatever else has words."""
    kinds: list[str] = []
    in_fence = False
    for line in prose.normal(text).splitlines():
        kind = next((name for pattern, name in _BLOCKS if pattern.match(line)), "paragraph")
        if kind == "fence":
            in_fence = not in_fence
            if not in_fence:
                continue
        elif in_fence or not line.strip():
            continue
        if kind == "heading":
            kind = f"heading{len(line) - len(line.lstrip('#'))}"
        kinds.append(kind)
    return tuple(kinds)
