import re
import string

import pytest

from reports.columns import LATENCY, LEADERBOARD, MODEL_CARD, RESOURCES, TERMINAL
from reports.html import _TEMPLATES
from reports.text import LANGUAGES, load_labels


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_places():
    english, korean = (load_labels(lang).texts for lang in ("en", "ko"))
    assert list(english) == list(korean)
    assert {key: _places(text) for key, text in english.items()} == {
        key: _places(text) for key, text in korean.items()
    }


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_text_says_something(lang):
    assert not [key for key, text in load_labels(lang).texts.items() if not text.strip()]


def test_korean_texts_are_korean():
    """Only names of the field and pure notation may stand without Hangul."""
    english, korean = load_labels("en").texts, load_labels("ko").texts
    untranslated = {
        key: text
        for key, text in korean.items()
        if text == english[key] and re.search(r"[a-z]{3}", re.sub(r"{\w+}|p\d\d|tok/s", "", text))
    }
    assert set(untranslated) <= {"environment.python_version", "environment.bakeoff_version"}


def test_every_heading_of_a_table_has_a_label():
    texts = load_labels("en").texts
    for column in (*LEADERBOARD, *TERMINAL, *LATENCY, *MODEL_CARD, *RESOURCES):
        assert column.label in texts
        assert not column.group or column.group in texts


def test_every_column_of_the_leaderboard_is_defined():
    defined = set(load_labels("en").under("definition"))
    assert {column.key for column in LEADERBOARD} <= defined


def test_every_key_the_templates_use_exists():
    texts = load_labels("en").texts
    used = {
        key
        for path in _TEMPLATES.glob("*.j2")
        for key in re.findall(r"""\bt\(['"]([a-z_.]+)['"][,)]""", path.read_text(encoding="utf-8"))
    }
    assert len(used) > 40
    assert used <= set(texts)
