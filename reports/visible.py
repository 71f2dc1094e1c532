"""Make text that others wrote safe to look at: nothing invisible, nothing that steers a terminal.

Escaping for HTML is the template's work; this is about characters that no escaping touches.
"""

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: object, *, limit: int | None = None) -> str:
    r"""The text with every control, format or unpaired character spelled out as `<U+202E>`.

    Line feeds and tabs stay. Carriage returns before a line feed are dropped.

    Args:
        text: anything; None becomes the empty text.
        limit: keep at most so many characters of the input and say how many were left out.
    """
    if text is None:
        return ""
    whole = str(text).replace("\r\n", "\n")
    kept = whole if limit is None or len(whole) <= limit else whole[:limit]
    shown = "".join(_spelled(char) for char in kept)
    left_out = len(whole) - len(kept)
    return f"{shown} … (+{left_out:,})" if left_out else shown


def one_line(text: object, *, limit: int | None = None) -> str:
    """As `visible`, with all runs of white space folded into one blank."""
    return " ".join(visible(text, limit=limit).split())


def shortened(text: str, limit: int) -> str:
    """The text, or its two ends around an ellipsis, in at most `limit` (>= 3) characters."""
    if len(text) <= limit:
        return text
    head = (limit - 1 + 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def _spelled(char: str) -> str:
    if char in "\n\t" or unicodedata.category(char) not in _HIDDEN:
        return char
    return f"<U+{ord(char):04X}>"
