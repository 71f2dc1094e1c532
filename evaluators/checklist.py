"""Judge a reply by a checklist: an item holds if what it needs is said together, in sentences of substance.

A cue alone earns nothing. A sentence that names the cues of many items is an enumeration, a sentence that
denies the finding is not a finding, and what is said more than once counts once.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators import prose
from evaluators.grading import Verdict
from evaluators.suites import ChecklistItem

REACH_SENTENCES = 4
"""How many sentences after the one with the first cue may complete an item, the heading's own included."""

MAX_ITEMS_A_SENTENCE = 3
MIN_WORDS = 8.0
"""Words that the sentences around a cue must have in all; below that it is a keyword, not a statement."""

_DENIAL = re.compile(
    r"\b(?:no|not any|without any|free (?:of|from)|isn't|is not|aren't|are not)\b[^.;,]{0,24}"
    r"\b(?:issue|problem|risk|concern|danger|vulnerab|need)"
    r"|(?:문제|위험|취약점|우려|필요)(?:은|는|이|가|도)?\s*(?:전혀\s*)?(?:없|아니)"
    r"|(?:is|are|looks?|seems?) (?:fine|ok|okay|safe|secure|good)\b|괜찮|안전합니다|안전해",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class _Said:
    text: str
    is_heading: bool
    items: frozenset[str]


def judge_items(text: str, items: Sequence[ChecklistItem]) -> list[Verdict]:
    """One verdict per item, in order; `evidence` quotes the reply for a pass, else it says what lacks."""
    said = _read(text, items)
    return [_judge(item, said) for item in items]


def _read(text: str, items: Sequence[ChecklistItem]) -> list[_Said]:
    said = []
    for sentence in prose.distinct_sentences(_without_fences(text)):
        named = frozenset(item.id for item in items if _hits(item.needs[0], sentence))
        heading = prose.n_words(sentence) < MIN_WORDS and not sentence.endswith(("다.", "요."))
        said.append(_Said(text=sentence, is_heading=heading, items=named))
    return said


def _without_fences(text: str) -> str:
    """Prose and code without the fence lines: a finding may be shown in code, a fence says nothing."""
    return re.sub(r"^[ \t]*(?:`{3,}|~{3,})[^\n]*$", "", text[:200_000], flags=re.MULTILINE)


def _judge(item: ChecklistItem, said: Sequence[_Said]) -> Verdict:
    best_missing: list[str] | None = None
    for index, sentence in enumerate(said):
        if item.id not in sentence.items or len(sentence.items) > MAX_ITEMS_A_SENTENCE:
            continue
        if _DENIAL.search(sentence.text):
            continue
        passage = _passage(item, said, index)
        if not prose.is_statement(passage, MIN_WORDS):
            continue
        missing = [group[0] for group in item.needs if not _hits(group, passage)]
        if not missing:
            return Verdict(status="pass", evidence=_quote(passage))
        if best_missing is None or len(missing) < len(best_missing):
            best_missing = missing
    if best_missing is None:
        return Verdict(status="wrong", evidence=f"not found: {item.asks.get('en', item.id)}")
    return Verdict(status="wrong", evidence=f"named, but without {', '.join(map(repr, best_missing))} nearby")


def _passage(item: ChecklistItem, said: Sequence[_Said], index: int) -> str:
    """The sentence with the cue and what follows it, up to where another item's turn begins."""
    start = index - 1 if index and said[index - 1].is_heading else index
    parts = [said[i].text for i in range(start, index + 1)]
    for following in said[index + 1 : index + 1 + REACH_SENTENCES]:
        if len(following.items) > MAX_ITEMS_A_SENTENCE:
            break
        if following.is_heading and following.items and item.id not in following.items:
            break
        parts.append(following.text)
    return " ".join(parts)


def _hits(patterns: Sequence[str], text: str) -> bool:
    return any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)


def _quote(passage: str, limit: int = 200) -> str:
    return passage if len(passage) <= limit else f"{passage[: limit - 1]}…"
