"""Read prose in Korean and English: sentences, length, repetition, refusals."""

import re
import unicodedata
import zlib
from functools import lru_cache

_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_LATIN_WORD = re.compile(r"[A-Za-z0-9_]+(?:['’.-][A-Za-z0-9_]+)*")
_BREAK = re.compile(
    r"(?<=[.!?。])[\"'”’)\]*`]*\s+"  # English, and Korean with a full stop
    r"|\n+"
    r"|(?<=[가-힣]다)\s+(?=[A-Z가-힣`])(?=.{0,3}[A-Z`])"  # 다 without a full stop before code or a name
)
_MARKUP = re.compile(r"^\s*(?:[-*+•]|\d+[.)]|#{1,6}|>)\s+|\*\*", re.MULTILINE)
_SPAN = re.compile(r"`[^`\n]*`")
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)|i (?:can(?:no|')t|won't|cannot)|as an ai)\b"
    r"|죄송|도와드릴 수 없|도와 드릴 수 없|답변(?:드릴|할) 수 없|제공할 수 없",
    re.IGNORECASE,
)

_GLUE_EN = re.compile(
    r"\b(?:the|an?|is|are|was|be|it|its|to|of|and|or|that|this|which|when|if|in|for|with|not|no|by|from|"
    r"has|have|can|does|so|because|only|each|one|on|at|as|than|before|after|into|would|must|every)\b",
    re.IGNORECASE,
)
_GLUE_KO = re.compile(
    r"[가-힣`)\]\"'a-zA-Z0-9](?:은|는|이|가|을|를|에|의|로|와|과|도|만|서|면|고|여|해|라)(?=[\s,.`)])"
)
_SENTENCE_END_KO = re.compile(r"(?:다|요|음|함|임|까|세요|시오)[.!?。:)]*$")

KOREAN_CHARS_PER_WORD = 2.5
"""Hangul syllables that say about as much as one English word."""


@lru_cache(maxsize=512)
def normal(text: str) -> str:
    """NFC form with plain quotes: the same Korean text may arrive decomposed and then matches nothing."""
    return unicodedata.normalize("NFC", text).replace("’", "'").replace("\r\n", "\n")


def plain(text: str) -> str:
    """The text without list markers, headings' signs and emphasis; code spans keep their backticks."""
    return _MARKUP.sub("", text)


def sentences(text: str) -> list[str]:
    """Sentences in order; a line break ends one too, as in lists and headings."""
    return [part.strip() for part in _BREAK.split(plain(normal(text))) if part and part.strip()]


def n_words(text: str) -> float:
    """Length in English words or what says as much in Korean."""
    hangul = len(_HANGUL.findall(text))
    return len(_LATIN_WORD.findall(_HANGUL.sub(" ", text))) + hangul / KOREAN_CHARS_PER_WORD


def distinct_sentences(text: str) -> list[str]:
    """Sentences without repetitions: the same words again, whatever their case, add nothing."""
    seen: set[str] = set()
    kept = []
    for sentence in sentences(text):
        key = re.sub(r"\W+", " ", sentence.casefold()).strip()
        if key and key not in seen:
            seen.add(key)
            kept.append(sentence)
    return kept


def repetition(text: str) -> float:
    """How repetitive a text is, 0 to 1: what compression saves beyond what it saves on ordinary prose.

    Ordinary explanations of this length compress to 0.45 of their bytes or more; one sentence written fifty
    times to less than 0.05. Texts under 400 bytes count as not repetitive.
    """
    data = normal(text).encode(errors="replace")
    if len(data) < 400:
        return 0.0
    ratio = len(zlib.compress(data, 9)) / len(data)
    return min(1.0, max(0.0, (0.3 - ratio) / 0.3))


def is_refusal(text: str) -> bool:
    """Whether a reply declines to do the work: a short text with a refusing phrase and no code."""
    return "```" not in text and n_words(text) < 80 and _REFUSAL.search(normal(text)) is not None


def is_korean(text: str) -> bool:
    """Whether a text holds any Hangul."""
    return _HANGUL.search(normal(text)) is not None


def is_statement(text: str, min_words: float) -> bool:
    """Whether a text says something: long enough, with the small words that tie words into sentences.

    A list of keywords has few of those, and many commas.
    """
    if n_words(text) < min_words:
        return False
    bare = _SPAN.sub(" ", text)
    ties = len(_GLUE_EN.findall(text))
    if is_korean(text):
        ties = len(_GLUE_KO.findall(text)) + len(_SENTENCE_END_KO.findall(text))
    return ties >= max(1.0, n_words(bare) / 10.0, (bare.count(",") - 1) / 2.0)
