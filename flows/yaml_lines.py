"""YAML with line numbers, so that an error in a configuration file can point at its line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Key = tuple[str | int, ...]


class ConfigError(Exception):
    """A mistake in a configuration file or on the command line, said in one line."""


@dataclass(frozen=True)
class Document:
    """A parsed file: its plain `data`, and for every key path the 1-based line it stands on."""

    path: Path
    data: Any
    lines: dict[Key, int]

    def line(self, loc: Key) -> int:
        """Line of `loc`, or of its nearest ancestor that is written in the file."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def error(self, loc: Key, message: str) -> ConfigError:
        """A `ConfigError` that points at `loc` in this file."""
        where = ".".join(str(part) for part in loc) or "(top)"
        return ConfigError(f"{self.path}:{self.line(loc)}: {where}: {message}")


def read_yaml(path: Path) -> Document:
    """Read one YAML file with its lines.

    Raises:
        ConfigError: the file is missing, is not UTF-8 or not YAML, or a key stands twice in one mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ConfigError(f"{path}:{line}: not valid YAML: {problem}") from None
    document = Document(path, data if data is not None else {}, {})
    if node is not None:
        _index(node, (), document)
    return document


def _index(node: yaml.Node, loc: Key, document: Document) -> None:
    document.lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            document.lines[(*loc, name)] = key.start_mark.line + 1
            if name in seen:
                raise document.error((*loc, name), "this key stands twice in one mapping")
            seen.add(name)
            _index(value, (*loc, name), document)
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _index(item, (*loc, i), document)
