"""The words of a report in one language, read from reports/labels/<language>.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("en", "ko")
_FOLDER = Path(__file__).parent / "labels"


@dataclass(frozen=True)
class Labels:
    """Texts by dotted key, such as `leaderboard.title`."""

    lang: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key` with `{name}` places filled in.

        Raises:
            KeyError: no such key, or a place without its value; both are faults of ours.
        """
        return self.texts[key].format(**values)

    def get(self, key: str, default: str) -> str:
        """The text of `key` as written, or `default` where names come from elsewhere (a stage, a status)."""
        return self.texts.get(key, default)

    def under(self, prefix: str) -> dict[str, str]:
        """All texts below `prefix`, by the rest of their key, in the file's order."""
        start = prefix + "."
        return {key[len(start) :]: text for key, text in self.texts.items() if key.startswith(start)}


@cache
def load_labels(lang: str) -> Labels:
    """The labels of a language of `LANGUAGES`.

    Raises:
        ValueError: the language has no labels.
    """
    if lang not in LANGUAGES:
        raise ValueError(f"report language {lang!r}: expected one of {', '.join(LANGUAGES)}")
    tree = yaml.safe_load((_FOLDER / f"{lang}.yaml").read_text(encoding="utf-8"))
    return Labels(lang, _flat(tree))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(value)
    return flat
