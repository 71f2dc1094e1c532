"""Text from a server made fit to be kept: hostile until it went through here."""

import re
from collections.abc import Sequence

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\s]+")
_MAX_ERROR = 300
_MIN_SECRET = 4


def clean_text(text: str) -> str:
    """A reply's text as valid Unicode: halves of surrogate pairs are joined or become U+FFFD, NUL too.

    JSON may carry half a pair, and a pair may be split over two chunks; neither can be written as UTF-8.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "\ufffd")


def without_secrets(text: str, secrets: Sequence[str]) -> str:
    """`text` with each of `secrets` that is at least 4 characters long replaced by `[secret]`.

    A server may echo what it was sent, and its text is kept, reported and exported.
    """
    for secret in sorted((s for s in secrets if len(s) >= _MIN_SECRET), key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return text


def one_line(text: str, secrets: Sequence[str] = ()) -> str:
    """A message on one line of at most 300 characters.

    Control characters, line ends and marks that turn the direction of writing become a space, and each of
    `secrets` that is at least 4 characters long becomes `[secret]`, before anything is cut off.
    """
    line = _CONTROL.sub(" ", clean_text(without_secrets(text, secrets))).strip()
    return line if len(line) <= _MAX_ERROR else line[: _MAX_ERROR - 1] + "…"
