"""What the simulated models say: planted answers to known prompts, filler to all others."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import yaml

PIECE_CHARACTERS = 4
"""The simulator's tokenizer: a token is this many characters."""

_HANGUL = re.compile("[\uac00-\ud7a3]")
_FILLER = {
    "en": "the time between two tokens says more about a server than its name, so we count each of them; ",
    "ko": "토큰과 토큰 사이의 시간은 서버의 이름보다 더 많은 것을 말해 주므로 하나도 빠짐없이 세어 봅니다. ",
}


@dataclass(frozen=True, kw_only=True)
class Planted:
    """The answers to one case: by model, then language, one text per variant."""

    case_id: str
    match: tuple[re.Pattern[str], ...]
    answers: Mapping[str, Mapping[str, Sequence[str]]]


class AnswersError(ValueError):
    """A file of planted answers that is not of the agreed shape, in one line."""


def count_tokens(text: str) -> int:
    """Tokens of `text` in the simulator's own tokenizer; 0 for no text."""
    return -(-len(text) // PIECE_CHARACTERS)


def split_tokens(text: str) -> list[str]:
    """The tokens of `text`, in order; joined they are the text."""
    return [text[start : start + PIECE_CHARACTERS] for start in range(0, len(text), PIECE_CHARACTERS)]


def language_of(text: str) -> str:
    """`ko` if the text has any Hangul syllable, else `en`."""
    return "ko" if _HANGUL.search(text) else "en"


def filler(n_tokens: int, language: str, seed: int) -> list[str]:
    """Exactly `n_tokens` tokens of prose in `language`, starting at a place chosen by `seed`."""
    bank = split_tokens(_FILLER[language][: -(len(_FILLER[language]) % PIECE_CHARACTERS) or None])
    start = seed % len(bank)
    repeats = -(-(start + n_tokens) // len(bank))
    return (bank * repeats)[start : start + n_tokens]


def load_planted(folder: Traversable | None = None) -> list[Planted]:
    """All planted answers, ordered by case.

    Raises:
        AnswersError: a file is not of the shape `match: [regex, …]`, `answers: {model: {ko|en: [text, …]}}`.
    """
    folder = folder if folder is not None else files("bench.simulator") / "answers"
    if not folder.is_dir():
        return []
    found = sorted((item for item in folder.iterdir() if item.name.endswith(".yaml")), key=lambda f: f.name)
    return [_planted(item) for item in found]


def _planted(item: Traversable) -> Planted:
    try:
        raw = yaml.safe_load(item.read_text(encoding="utf-8"))
        return Planted(
            case_id=item.name.removesuffix(".yaml"),
            match=tuple(re.compile(pattern, re.IGNORECASE) for pattern in raw["match"]),
            answers={
                model: {language: [str(text) for text in texts] for language, texts in by_language.items()}
                for model, by_language in raw["answers"].items()
            },
        )
    except (yaml.YAMLError, re.error, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AnswersError(f"{item.name}: expected 'match' and 'answers': {reason}") from error


def planted_answer(planted: Sequence[Planted], prompt: str, *, model: str, seed: int) -> str | None:
    """The planted answer to `prompt`, or None if no case (or no text of this model) matches.

    The first case any of whose patterns is found answers; the variant is `seed` modulo their number.
    """
    for case in planted:
        if any(pattern.search(prompt) for pattern in case.match):
            texts = case.answers.get(model, {}).get(language_of(prompt), ())
            return texts[seed % len(texts)] if texts else None
    return None
