"""Code quality: how simple, clean, documented and legible a program is, whether or not it is right.

Every part is 1 minus penalties for what is there, never a credit or a mean over what could be added: more
functions, comments or lines therefore never raise the score.
"""

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from radon.complexity import cc_visit_ast
from radon.raw import analyze
from radon.visitors import Class

from evaluators import prose
from evaluators.lint import RUFF_VERSION, Finding, Lint
from evaluators.suites import Case
from evaluators.syntax import GRAMMAR, parse

VERSION = "code_quality/1"

WEIGHTS = {"complexity": 0.35, "lint": 0.35, "documentation": 0.15, "legibility": 0.15}


@dataclass(frozen=True, kw_only=True)
class CodeQuality:
    """`score` in [0, 1]; `reason` says why there is no program to be judged, and the score is 0 then."""

    score: float
    reason: str | None
    detail: dict[str, Any]


def judge_program(case: Case, code: str | None, *, lint: Lint) -> CodeQuality:
    """Judge the program that was extracted from an answer; None if there was none.

    Raises:
        LintUnavailable: the linter could not be run, so nothing is known.
    """
    if code is None:
        return _nothing(f"no code block defines {', '.join(case.entry_points)}")
    tree = parse(code)
    if tree is None:
        return _nothing(f"the code does not parse as {GRAMMAR}")
    entries = [node for node in tree.body if getattr(node, "name", None) in case.entry_points]
    if not entries or all(_is_stub(node) for node in entries):
        return _nothing(f"{', '.join(case.entry_points)} has no body worth the name")
    findings = lint(code)
    parts = {
        "complexity": _complexity(tree),
        "lint": _lint(findings, _unused_definitions(tree, case.entry_points)),
        "documentation": min(_documentation(node) for node in entries),
        "legibility": _legibility(tree, entries, code),
    }
    score = sum(WEIGHTS[name] * value for name, value in parts.items())
    detail: dict[str, Any] = {name: round(value, 4) for name, value in parts.items()}
    detail |= {"rules": dict(sorted(Counter(f.rule for f in findings).items())), "ruff": RUFF_VERSION}
    detail |= {"max_cc": max(_complexities(tree), default=0), "grammar": GRAMMAR}
    return CodeQuality(score=score, reason=None, detail=detail)


def _nothing(reason: str) -> CodeQuality:
    return CodeQuality(score=0.0, reason=reason, detail={})


def _falling(value: float, full: float, none: float) -> float:
    """1 up to `full`, 0 from `none` on, straight in between."""
    return min(1.0, max(0.0, (none - value) / (none - full)))


def _complexity(tree: ast.Module) -> float:
    """The most complex function decides, by McCabe's number and by nesting: means could be diluted."""
    most = max(_complexities(tree), default=1)
    return 0.5 * _falling(most, 6, 20) + 0.5 * _falling(_nesting(tree), 3, 7)


def _complexities(tree: ast.Module) -> list[int]:
    return [block.complexity for block in cc_visit_ast(tree) if not isinstance(block, Class)]


_NESTING = (ast.If, ast.For, ast.While, ast.AsyncFor, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def _nesting(node: ast.AST, depth: int = 0) -> int:
    """The deepest nesting of blocks; an elif does not count as deeper than its if."""
    deepest = depth
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        is_elif = isinstance(node, ast.If) and name == "orelse" and len(children) == 1
        for child in children:
            if isinstance(child, ast.AST):
                same = is_elif and isinstance(child, ast.If)
                inner = depth + (isinstance(child, _NESTING) and not same)
                deepest = max(deepest, _nesting(child, inner))
    return deepest


def _lint(findings: Sequence[Finding], unused: Sequence[str]) -> float:
    """Each kind of finding costs 0.15, each repetition of it 0.03: absolute, as densities can be diluted."""
    kinds = Counter(finding.rule for finding in findings)
    kinds.update({"unused": len(unused)} if unused else {})
    return max(0.0, 1.0 - 0.15 * len(kinds) - 0.03 * (kinds.total() - len(kinds)))


def _unused_definitions(tree: ast.Module, entry_points: Sequence[str]) -> list[str]:
    """Functions and classes at the top level that nothing refers to: padding, or left-overs."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | set(entry_points)
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [node.name for node in tree.body if isinstance(node, kinds) and node.name not in used]


def _documentation(node: ast.stmt) -> float:
    """What is asked for must say what it does; a class loses a fifth for each public method that does not."""
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)  # noqa: S101 it has a name
    lost = 0.0 if _is_documented(node) else 0.5
    if isinstance(node, ast.ClassDef):
        methods = [m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
        lost += 0.2 * sum(not m.name.startswith("_") and not _is_documented(m) for m in methods)
    else:
        lost *= 2.0
    return max(0.0, 1.0 - lost)


def _is_documented(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    text = ast.get_docstring(node) or ""
    words = {word.casefold() for word in prose.normal(text).split()}
    return prose.n_words(text) >= 3 and len(words) >= 2


def _legibility(tree: ast.Module, entries: Sequence[ast.stmt], code: str) -> float:
    """Variables of one letter outside loops cost 0.15 each; more comments than code cost up to all.

    Comments are compared with the statements that were asked for, not with lines that anyone can add.
    """
    short = {name for name in _assigned_names(tree) if len(name) == 1 and name != "_"}
    n_comments = analyze(code).comments
    n_statements = sum(isinstance(part, ast.stmt) for node in entries for part in ast.walk(node))
    share = n_comments / (n_comments + n_statements)
    return max(0.0, 1.0 - 0.15 * len(short)) * _falling(share, 0.35, 0.70)


def _assigned_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            targets = [node.target]
        for target in targets:
            names |= {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
    return names


def _is_stub(node: ast.stmt) -> bool:
    """Whether a definition does nothing: pass, an ellipsis, a constant returned, NotImplementedError."""
    if isinstance(node, ast.ClassDef):
        methods = [m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
        return all(_is_stub(method) for method in methods)
    body = node.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []
    return all(_does_nothing(statement) for statement in body)


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr | ast.Return):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass | ast.Raise)
