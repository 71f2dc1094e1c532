"""Which prompt each request gets, made unique from its first token on."""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One text of a prompt set; `language` is `ko`, `en` or None if it is neither in particular."""

    prompt_id: str
    language: str | None
    text: str


def deal(prompts: Sequence[Prompt], rng: random.Random) -> Iterator[Prompt]:
    """Deal prompts without end, in shuffled rounds, so that after n deals each was used n / len times ± 1.

    Raises:
        ValueError: there is no prompt.
    """
    if not prompts:
        raise ValueError("no prompts to deal")
    while True:
        deck = list(prompts)
        rng.shuffle(deck)
        yield from deck


def salt(text: str, *, nonce: str, request_id: str) -> str:
    """Put a tag in front of a prompt that no other request of any run has.

    A server keeps what it computed for a prefix it has seen. With the tag first, nothing of the prompt can be
    taken from there: what is measured is a cold prompt, on every run.

    Args:
        text: the prompt.
        nonce: differs from run to run.
        request_id: differs from request to request.

    Returns:
        `[tag] text`; the tag is 12 hexadecimal digits.
    """
    tag = hashlib.blake2s(f"{nonce}/{request_id}".encode(), digest_size=6).hexdigest()
    return f"[{tag}] {text}"
