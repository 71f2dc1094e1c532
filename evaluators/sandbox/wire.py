"""The grader's side of the sandbox protocol: plain data to JSON forms and back, within bounds.

What comes back was written by a hostile program: size, depth, digits and hashed items are bounded before
anything is built, and only exact builtin types are ever made. The forms are described in `guest.py`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

MAX_DEPTH = 64
MAX_NODES = 120_000
MAX_HASHED_ITEMS = 10_000
"""Items of one set or dict: colliding keys make building one quadratic."""

MAX_HEX_DIGITS = 500_000


class BadReply(Exception):
    """What came back is not a value of the protocol, in one line."""


def encode(value: Any) -> Any:
    """The JSON form of a value of a suite; see `Step` for the `$` forms.

    Raises:
        TypeError: not plain data.
    """
    if value is None or isinstance(value, bool | float | str):
        return value
    if isinstance(value, int):
        return value if -(2**63) < value < 2**63 else {"i": hex(value)}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return _encode_mapping(value)
    tags: dict[type, str] = {tuple: "t", set: "s", frozenset: "f"}
    if type(value) in tags:
        return {tags[type(value)]: [encode(item) for item in value]}
    if isinstance(value, bytes):
        return {"b": value.hex()}
    if isinstance(value, complex):
        return {"c": [value.real, value.imag]}
    raise TypeError(f"not plain data: {type(value).__name__}")


def _encode_mapping(value: Mapping[Any, Any]) -> Any:
    special = {"$handle": "h", "$tuple": "t", "$set": "s"}
    if len(value) == 1:
        [(key, body)] = value.items()
        if key == "$handle":
            return {"h": body}
        if key in special:
            return {special[key]: [encode(item) for item in body]}
    return {"d": [[encode(key), encode(item)] for key, item in value.items()]}


def decode(form: Any) -> Any:
    """The value of a JSON form.

    Raises:
        BadReply: not a form of the protocol, or out of bounds.
    """
    return _decode(form, [MAX_NODES], 0)


def _decode(form: Any, budget: list[int], depth: int) -> Any:
    budget[0] -= 1
    if budget[0] < 0 or depth > MAX_DEPTH:
        raise BadReply("the result is too large or nested too deeply")
    if isinstance(form, list):
        return [_decode(item, budget, depth + 1) for item in form]
    if not isinstance(form, dict):
        return form
    if len(form) != 1:
        raise BadReply("the reply is not plain data")
    [(tag, body)] = form.items()
    try:
        return _TAGS[tag](body, budget, depth + 1)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise BadReply("the reply is not plain data") from error


def _items(body: Any, budget: list[int], depth: int) -> list[Any]:
    if not isinstance(body, list):
        raise BadReply("the reply is not plain data")
    return [_decode(item, budget, depth) for item in body]


def _hashed(body: Any, budget: list[int], depth: int) -> list[Any]:
    if len(body) > MAX_HASHED_ITEMS:
        raise BadReply(f"a set or dict of more than {MAX_HASHED_ITEMS} items")
    return _items(body, budget, depth)


def _large_int(body: str) -> int:
    if len(body) > MAX_HEX_DIGITS:
        raise BadReply("an int of too many digits")
    return int(body, 16)


_TAGS: dict[str, Callable[[Any, list[int], int], Any]] = {
    "t": lambda body, budget, depth: tuple(_items(body, budget, depth)),
    "s": lambda body, budget, depth: set(_hashed(body, budget, depth)),
    "f": lambda body, budget, depth: frozenset(_hashed(body, budget, depth)),
    "d": lambda body, budget, depth: dict(_hashed(body, budget, depth)),
    "i": lambda body, budget, depth: _large_int(body),
    "b": lambda body, budget, depth: bytes.fromhex(body),
    "c": lambda body, budget, depth: complex(float(body[0]), float(body[1])),
}


def parse(line: bytes) -> dict[str, Any]:
    """One reply line as a dict.

    Raises:
        BadReply: not a JSON object, nested too deeply, or an integer of more than 20 characters.
    """
    try:
        reply = json.loads(line, parse_int=_bounded_int)
    except RecursionError as error:
        raise BadReply("the result is nested too deeply") from error
    except ValueError as error:
        raise BadReply("the reply is not JSON") from error
    if not isinstance(reply, dict):
        raise BadReply("the reply is not an object")
    return reply


def _bounded_int(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError("too many digits")
    return int(digits)
