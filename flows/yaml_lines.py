"""YAML with line numbers, so that an error in a configuration file can point at its line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Key = tuple[str | int, ...]

_MAX_DEPTH = 50
_MAX_NODES = 200_000
"""Values a file may hold with its aliases written out: a few lines of YAML can stand for billions."""


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


class _Loader(yaml.SafeLoader):
    """Safe YAML whose mistakes are all `yaml.YAMLError`; dates stay the text that they are written as."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if parent is not None and self.depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(None, None, "nested too deeply", parent.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        # What PyYAML's own constructors let through for `0x_`, `!!timestamp soon` and `!!bool maybe`.
        except (ValueError, AttributeError, LookupError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.MarkedYAMLError(None, None, f"not a valid {kind}", node.start_mark) from None
        if isinstance(value, int) and value.bit_length() > 64:
            raise yaml.MarkedYAMLError(None, None, "a number beyond 64 bits", node.start_mark)
        return value


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> Document:
    """Read one YAML file with its lines.

    Raises:
        ConfigError: the file is missing, is not UTF-8 or not YAML, a key stands twice in one mapping, or it
            is nested too deeply, contains itself or is too large.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    document = Document(path, {}, {})
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return document
        # Before anything is constructed: merging `<<` would write aliases out, however many.
        _Index(document).add(node, (), ())
        data = loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ConfigError(f"{path}:{line}: not valid YAML: {problem}") from None
    return Document(path, data if data is not None else {}, document.lines)


class _Index:
    """Fills a document's `lines`, and refuses what would not end."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.n_nodes = 0

    def add(self, node: yaml.Node, loc: Key, above: tuple[yaml.Node, ...]) -> None:
        """Note the lines of `node`, which stands at `loc` below the nodes `above`."""
        self.n_nodes += 1
        if self.n_nodes > _MAX_NODES:
            raise yaml.MarkedYAMLError(None, None, "too large with its aliases written out", node.start_mark)
        if any(node is one for one in above):
            raise yaml.MarkedYAMLError(None, None, "an alias to what it stands in", node.start_mark)
        self.document.lines.setdefault(loc, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, loc, (*above, node))
        elif isinstance(node, yaml.SequenceNode):
            for i, item in enumerate(node.value):
                self.add(item, (*loc, i), (*above, node))

    def _mapping(self, node: yaml.MappingNode, loc: Key, above: tuple[yaml.Node, ...]) -> None:
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(None, None, "a key must be a plain word", key.start_mark)
            name = key.value
            self.document.lines[(*loc, name)] = key.start_mark.line + 1
            if name in seen:
                raise self.document.error((*loc, name), "this key stands twice in one mapping")
            seen.add(name)
            self.add(value, (*loc, name), above)
