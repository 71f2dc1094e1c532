"""Parse Python that a model wrote, without being hurt by it."""

import ast
import sys
import threading
import warnings

GRAMMAR = f"Python {sys.version_info.major}.{sys.version_info.minor}"
"""The grammar that decides what parses: newer syntax does not."""

MAX_CODE_CHARS = 100_000

MAX_DEPTH = 150
"""Deeper trees are refused: walking them would exhaust the stack of those who judge them."""

_lock = threading.Lock()


def parse(code: str) -> ast.Module | None:
    """The syntax tree; None if it does not parse, nests too deeply or is longer than `MAX_CODE_CHARS`."""
    if len(code) > MAX_CODE_CHARS:
        return None
    try:
        # catch_warnings changes the whole process, hence the lock; a model's "\d" is not our warning
        with _lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if _is_shallow(tree) else None


def _is_shallow(tree: ast.Module) -> bool:
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return True
    return False


def defined_names(tree: ast.Module) -> set[str]:
    """Names of the functions and classes that a module defines at its top level, assigned names included."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names
