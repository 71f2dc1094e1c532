"""The program inside the sandbox: runs an answer, carries out calls, sends back plain data.

It is passed to `python -c` as text, so it imports nothing of this project and holds no test and no expected
value. An answer may take it over completely: all it can do then is to send other plain data, which the grader
outside compares as it would compare any result. Requests come on standard input, replies go to the descriptor
in argv; both are JSON lines. Plain JSON values stand for themselves, everything else is a one-key object:
t tuple, s set, f frozenset, d dict as pairs, c complex, b bytes, i large int (hexadecimal), h kept object.
"""

import builtins
import json
import os
import resource
import sys
import types
from typing import Any

MAX_DEPTH = 60
MAX_NODES = 100_000
MAX_CHARS = 400_000


class Unsendable(Exception):
    """A value that is not plain data, or too large; the text says which."""


def encode(value: Any, budget: list[int], depth: int = 0) -> Any:
    """The JSON form of plain data of exact builtin types; `budget` holds what may still be sent."""
    budget[0] -= 1
    if depth > MAX_DEPTH or budget[0] < 0:
        raise Unsendable("nested too deeply" if depth > MAX_DEPTH else "too large")
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is str or kind is bytes:
        budget[1] -= len(value)
        if budget[1] < 0:
            raise Unsendable("too large")
        return value if kind is str else {"b": value.hex()}
    if kind is int:
        budget[1] -= value.bit_length() // 4
        if budget[1] < 0:
            raise Unsendable("too large")
        return value if -(2**63) < value < 2**63 else {"i": hex(value)}
    return encode_container(value, kind, budget, depth + 1)


def encode_container(value: Any, kind: type, budget: list[int], depth: int) -> Any:
    """The JSON form of a container, its items included."""
    if kind is complex:
        return {"c": [value.real, value.imag]}
    if kind is dict:
        return {"d": [[encode(k, budget, depth), encode(v, budget, depth)] for k, v in value.items()]}
    tags: dict[type, str] = {list: "", tuple: "t", set: "s", frozenset: "f"}
    if kind not in tags:
        raise Unsendable("an object of type " + kind.__name__[:80])
    tag = tags[kind]
    items = [encode(item, budget, depth) for item in value]
    return {tag: items} if tag else items


def decode(data: Any, kept: dict[str, Any]) -> Any:
    """The value of a JSON form that the grader sent."""
    if isinstance(data, list):
        return [decode(item, kept) for item in data]
    if not isinstance(data, dict):
        return data
    [(tag, body)] = data.items()
    if tag == "h":
        return kept[body]
    if tag == "d":
        return {decode(key, kept): decode(value, kept) for key, value in body}
    if tag == "i":
        return int(body, 16)
    if tag == "b":
        return bytes.fromhex(body)
    if tag == "c":
        return complex(*body)
    makers: dict[str, type] = {"t": tuple, "s": set, "f": frozenset}
    return makers[tag](decode(item, kept) for item in body)


def describe(error: BaseException) -> dict[str, Any]:
    """What was raised: the names of its builtin classes, most special first, and its text."""
    names = [c.__name__ for c in type(error).__mro__ if getattr(builtins, c.__name__, None) is c]
    try:
        message = str(error)[:200]
    except BaseException:
        message = ""
    return {"raised": names[:20], "type": type(error).__name__[:80], "message": message}


def perform(request: dict[str, Any], module: types.ModuleType, kept: dict[str, Any]) -> dict[str, Any]:
    """Carry out one request against the answer's module."""
    if request["op"] == "load":
        code = compile(request["code"], "answer.py", "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 running it is the point; the walls are around this process
        return {"value": None}
    owner: Any = kept[request["on"]] if request["on"] is not None else module
    if not hasattr(owner, request["name"]):
        return {"missing": request["name"]}
    found = getattr(owner, request["name"])
    args = decode(request["args"], kept)
    result = found
    if request["op"] == "call":
        result = found(*args, **decode(request["kwargs"], kept))
    if request["keep"] is not None:
        kept[request["keep"]] = result
        return {"value": None}
    reply = {"value": encode(result, [MAX_NODES, MAX_CHARS])}
    if request["args_after"]:
        reply["args_after"] = encode(args, [MAX_NODES, MAX_CHARS])
    return reply


def answer(request: dict[str, Any], module: types.ModuleType, kept: dict[str, Any]) -> dict[str, Any]:
    """What to reply to one request, whatever the answer's code does."""
    try:
        return perform(request, module, kept)
    except Unsendable as error:
        return {"opaque": str(error)}
    except BaseException as error:
        return describe(error)


def limit(cpu_s: int, memory_bytes: int, file_bytes: int, n_files: int, n_processes: int) -> None:
    """Cap this process and all it starts; the hard limits cannot be raised again."""
    for which, soft, hard in (
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_NOFILE, n_files, n_files),
        (resource.RLIMIT_NPROC, n_processes, n_processes),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(which, (soft, hard))


def main() -> None:
    """Serve requests until standard input ends."""
    reply_fd, *limits = map(int, sys.argv[1:])
    limit(*limits)
    requests = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.set_inheritable(reply_fd, False)
    replies = os.fdopen(reply_fd, "wb")
    module = types.ModuleType("answer")
    sys.modules["answer"] = module
    kept: dict[str, Any] = {}
    replies.write(b'{"id": 0, "value": null}\n')
    replies.flush()
    for line in requests:
        request = json.loads(line)
        reply = answer(request, module, kept)
        reply["id"] = request["id"]
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


if __name__ == "__main__":
    main()
