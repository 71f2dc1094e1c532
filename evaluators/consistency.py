"""Consistency: how alike a model's answers to the same prompt are over its repeats."""

import ast
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluators import prose
from evaluators.extraction import find_program, split_reply
from evaluators.structure import CODE_FLOOR, TEXT_FLOOR, code_similarity, text_similarity
from evaluators.suites import Case
from evaluators.syntax import parse

VERSION = "consistency/1"

MIN_REPEATS = 2
MIN_WORDS = 40.0
"""A reply to a review or design case shorter than this is none."""


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """`score` in [0, 1], or None with the reason if there were not enough repeats to compare."""

    score: float | None
    reason: str | None
    detail: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Usable:
    tree: ast.Module | None
    prose: str
    code_share: float


def judge_group(case: Case, texts: Sequence[str]) -> Consistency:
    """The mean likeness of all pairs of usable answers, times the share of usable answers.

    An answer without a program that parses (or, for a review or design, without substance) is not usable:
    three refusals are alike and still score 0. Code and prose count by their share of the characters.
    """
    if len(texts) < MIN_REPEATS:
        lacking = f"needs {MIN_REPEATS} answers to compare, has {len(texts)}"
        return Consistency(score=None, reason=lacking, detail={"n_repeats": len(texts)})
    usable = [part for part in (_usable(case, text) for text in texts) if part is not None]
    pairs = [_similarity(a, b) for a, b in itertools.combinations(usable, 2)]
    score = sum(pairs) / len(pairs) * len(usable) / len(texts) if pairs else 0.0
    identical = Counter(texts).most_common(1)[0][1]
    detail = {
        "n_repeats": len(texts),
        "n_usable": len(usable),
        # the same bytes every time: a cache or temperature 0, and then this judgement says little
        "n_identical": identical if identical > 1 else 0,
        "pairs": [round(pair, 4) for pair in pairs],
        "code_floor": CODE_FLOOR,
        "text_floor": TEXT_FLOOR,
    }
    reason = None if pairs else f"{len(usable)} of {len(texts)} answers are usable"
    return Consistency(score=score, reason=reason, detail=detail)


def _usable(case: Case, text: str) -> _Usable | None:
    parts = split_reply(text)
    if not case.wants_code:
        lacks = prose.is_refusal(text) or prose.n_words(text) < MIN_WORDS
        return None if lacks else _Usable(tree=None, prose=text, code_share=0.0)
    return _usable_program(find_program(text, case.entry_points), parts.prose)


def _usable_program(code: str | None, explanation: str) -> _Usable | None:
    tree = parse(code) if code is not None else None
    if tree is None or code is None:
        return None
    return _Usable(tree=tree, prose=explanation, code_share=len(code) / (len(code) + len(explanation)))


def _similarity(a: _Usable, b: _Usable) -> float:
    if a.tree is None or b.tree is None:
        return text_similarity(a.prose, b.prose)
    share = (a.code_share + b.code_share) / 2.0
    prose_alike = text_similarity(a.prose, b.prose) if a.prose or b.prose else 1.0
    return share * code_similarity(a.tree, b.tree) + (1.0 - share) * prose_alike
