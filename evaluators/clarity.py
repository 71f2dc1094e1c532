"""Clarity: whether a reply explains its work: what it is for, how it works, where it ends, by example.

Deterministic and the same in Korean and English. A facet is earned by statements, not by cues: a sentence
must be one, must be about names that exist in the work, and may earn two facets at most. Repetition lowers
everything, length earns nothing, code blocks are not prose.
"""

import builtins
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from evaluators import prose
from evaluators.extraction import split_reply
from evaluators.suites import Case

VERSION = "clarity/1"

CODE_WEIGHTS = {"purpose": 0.20, "mechanism": 0.30, "limits": 0.25, "example": 0.15, "layout": 0.10}
TEXT_WEIGHTS = {"purpose": 0.20, "reasons": 0.30, "concrete": 0.25, "example": 0.10, "layout": 0.15}

MAX_FACETS_A_SENTENCE = 2

_BECAUSE = re.compile(
    r"\b(?:because|since|so|therefore|thus|otherwise|as a result|which (?:means|makes|lets|hides)"
    r"|can|could|would|leads? to|causes?|turns|makes|lets)\b"
    r"|때문|므로|따라서|그래서|위해|도록|해서|어서|아서|않으면|으니|수 있|수 없|게 되|게 하|만듭|바꿉",
    re.IGNORECASE,
)
"""Cause or consequence, in equal measure in both languages."""
_COMPLEXITY = re.compile(
    r"\bO\([^)\n]{1,20}\)|\b(?:constant|linear|quadratic) time\b|상수 시간|선형 시간", re.IGNORECASE
)
_EDGE = re.compile(
    r"\b(?:edge cases?|empty|negative|zero|unknown|missing|invalid|duplicate|raises?|\w+Error)\b"
    r"|예외|음수|비어|빈 |없는 |잘못된|중복|발생",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"\b(?:returns?|gives?|yields?|is|becomes|prints?)\b|=>|->|==|→|반환|결과|입니다|됩니다|출력"
)
_SUMMARY = re.compile(
    r"\b(?:summary|verdict|overview|conclusion|in short|overall|before production|do not merge)\b"
    r"|요약|결론|개요|종합",
    re.IGNORECASE,
)
_SPAN = re.compile(r"`([^`\n]{1,80})`")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w+")
_SUBJECT = re.compile(
    r"\b(?:this|the) (?:function|class|method|code|version)\b|함수|클래스|메서드|코드", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Clarity:
    """`score` in [0, 1]; `reason` only where something overrode the facets."""

    score: float
    reason: str | None
    detail: dict[str, Any]


def judge_explanation(case: Case, language: str, text: str) -> Clarity:
    """How clearly the reply `text` explains itself in the language of its prompt."""
    if prose.is_refusal(text):
        return Clarity(score=0.0, reason="the reply declines", detail={})
    parts = split_reply(text)
    if prose.n_words(parts.prose) == 0:
        return Clarity(score=0.0, reason="there is no prose", detail={})
    code = "\n".join(block.code for block in parts.blocks)
    said = prose.distinct_sentences(parts.prose)
    names = _names(code) | _names(" ".join(case.prompts.values()))
    if case.wants_code:
        facets = _code_facets(case, said, _names(code))
        weights = CODE_WEIGHTS
    else:
        facets = _text_facets(said, names, has_block=bool(code.strip()))
        weights = TEXT_WEIGHTS
    facets["layout"] = _layout(parts.prose) * _enough(said)
    factors = {
        "unrepeated": 1.0 - prose.repetition(parts.prose),
        "truthful_names": _truthful(parts.prose, names) if case.wants_code else 1.0,
        "language": _language_factor(language, parts.prose),
    }
    score = sum(weights[name] * value for name, value in facets.items())
    for factor in factors.values():
        score *= factor
    detail = {name: round(value, 4) for name, value in (facets | factors).items()}
    return Clarity(score=score, reason=None, detail=detail)


def _code_facets(case: Case, said: Sequence[str], in_code: set[str]) -> dict[str, float]:
    entries = set(case.entry_points)
    used: Counter[str] = Counter()
    example = _take(used, said, 2.0, lambda s: _shows_example(s, in_code))
    limits = 0.5 * bool(_take(used, said, 4.0, _COMPLEXITY.search, n=1))
    limits += 0.5 * bool(_take(used, said, 5.0, lambda s: _EDGE.search(s) and _mentions(s, in_code), n=1))
    purpose = _take(used, said[:3], 5.0, lambda s: _mentions(s, entries) or _SUBJECT.search(s), n=1)
    inner = in_code - entries
    how = _take(used, said, 6.0, lambda s: _mentions(s, inner), n=3)
    why = _take(used, said, 6.0, lambda s: _BECAUSE.search(s) and _mentions(s, in_code), n=1)
    return {
        "purpose": float(bool(purpose)),
        "mechanism": 0.7 * min(1.0, how / 3.0) + 0.3 * bool(why),
        "limits": limits,
        "example": float(bool(example)),
    }


def _text_facets(said: Sequence[str], names: set[str], *, has_block: bool) -> dict[str, float]:
    used: Counter[str] = Counter()
    opening = _take(used, said[:3], 8.0, lambda _: True, n=1)
    summary = _take(used, said, 8.0, _SUMMARY.search, n=1)
    reasons = _take(used, said, 6.0, _BECAUSE.search, n=3)
    concrete = _take(used, said, 6.0, lambda s: _is_concrete(s, names), n=6)
    return {
        "purpose": 0.5 * bool(opening) + 0.5 * bool(summary),
        "reasons": min(1.0, reasons / 3.0),
        "concrete": min(1.0, concrete / 6.0),
        "example": float(has_block and len(said) >= 3),
    }


def _take(
    earned: Counter[str], said: Sequence[str], min_words: float, fits: Callable[[str], Any], n: int = 1
) -> int:
    """How many statements fit, up to `n`; each of them is charged for it in `earned`.

    A sentence stuffed with cues thereby earns `MAX_FACETS_A_SENTENCE`, like any other.
    """
    taken = 0
    for sentence in said:
        if taken == n:
            break
        spent = earned[sentence] >= MAX_FACETS_A_SENTENCE
        if not spent and prose.is_statement(sentence, min_words) and fits(sentence):
            earned[sentence] += 1
            taken += 1
    return taken


def _names(code: str) -> set[str]:
    return {name for name in _IDENTIFIER.findall(code) if len(name) > 1}


def _mentions(sentence: str, names: set[str]) -> bool:
    """Whether a sentence names something of the work: in backticks, or spelt like no plain word."""
    spans = {name for span in _SPAN.findall(sentence) for name in _IDENTIFIER.findall(span)}
    bare = {
        name for name in _IDENTIFIER.findall(sentence) if "_" in name or any(c.isupper() for c in name[1:])
    }
    short = {span for span in _SPAN.findall(sentence) if len(span) == 1}
    return bool((spans | bare) & names or short)


def _shows_example(sentence: str, names: set[str]) -> bool:
    """A call of something in the work with arguments, followed by a result."""
    for call in re.finditer(r"\b([A-Za-z_]\w*)\([^\n]*?\)", sentence):
        after = sentence[call.end() :]
        if (
            call.group(1) in names
            and _RESULT.search(after)
            and re.search(r"[\d\"'\[\]{}`]|True|False|None", after)
        ):
            return True
    return False


def _is_concrete(sentence: str, names: set[str]) -> bool:
    return bool(_mentions(sentence, names) or _SPAN.search(sentence) or re.search(r"\d", sentence))


def _truthful(text: str, names: set[str]) -> float:
    """1 if the identifiers in backticks exist in code or prompt; 0.5 if none of three or more does."""
    claimed = {
        name
        for span in _SPAN.findall(text)
        if re.fullmatch(r"[A-Za-z_][\w.]*(?:\(\))?", span)
        for name in _IDENTIFIER.findall(span)
    }
    claimed = {name for name in claimed if not name.endswith("Error") and len(name) > 1}
    if len(claimed) < 3:
        return 1.0
    return 0.5 + 0.5 * len(claimed & (names | _BUILTINS)) / len(claimed)


_BUILTINS = frozenset(dir(builtins))


def _layout(text: str) -> float:
    """Whether the prose is cut into readable pieces: no wall of text, no endless sentence."""
    paragraphs = [part for part in re.split(r"\n\s*\n|\n(?=\s*(?:[-*+]|\d+[.)])\s)", text) if part.strip()]
    longest = max((prose.n_words(part) for part in paragraphs), default=0.0)
    lengths = [prose.n_words(sentence) for sentence in prose.sentences(text)]
    average = sum(lengths) / len(lengths) if lengths else 0.0
    return 0.5 * _falling(longest, 120.0, 240.0) + 0.5 * _falling(average, 30.0, 60.0)


def _enough(said: Sequence[str]) -> float:
    """A single remark is well laid out and says nothing: the full credit begins at four statements."""
    return min(1.0, sum(prose.is_statement(sentence, 5.0) for sentence in said) / 4.0)


def _falling(value: float, full: float, none: float) -> float:
    return min(1.0, max(0.0, (none - value) / (none - full)))


def _language_factor(language: str, text: str) -> float:
    """Half the score for an explanation in the other language than the prompt's."""
    return 1.0 if prose.is_korean(text) == (language == "ko") else 0.5
