"""Programs that do not know the answer and try to be marked right anyway; all must fail, none may crash us."""

import textwrap

import pytest

from evaluators.correctness import check_answer
from evaluators.sandbox import Sandbox

SECRET = 918273645

ALWAYS_EQUAL = """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
"""

REPLY_FDS = """
import os
def fds():
    for fd in range(3, 30):
        try:
            os.fstat(fd)
            yield fd
        except OSError:
            pass
"""

FORGERIES: dict[str, tuple[str, set[str]]] = {
    "returns None": ("def f(): return None", {"wrong"}),
    "always equal object": (ALWAYS_EQUAL + "def f(): return Yes()", {"wrong"}),
    "always equal int": (
        "class I(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef f(): return I(1)",
        {"wrong"},
    ),
    "always equal str": (
        "class S(str):\n    def __eq__(self, other): return True\n    __hash__ = str.__hash__\ndef f(): return S('x')",
        {"wrong"},
    ),
    "lies about its class": (
        ALWAYS_EQUAL + "class Lie(Yes):\n    __class__ = int\ndef f(): return Lie()",
        {"wrong"},
    ),
    "exits at import": ("import sys\nsys.exit(0)\ndef f(): return 0", {"exception"}),
    "exits hard at import": ("import os\nos._exit(0)\ndef f(): return 0", {"killed"}),
    "exits in the call": ("import sys\ndef f(): sys.exit(0)", {"exception"}),
    "exits hard in the call": ("import os\ndef f(): os._exit(0)", {"killed"}),
    "prints a verdict": (
        "import os\ndef f():\n    print('passed', 'OK', '1 passed', flush=True)\n    os._exit(0)",
        {"killed"},
    ),
    "looks for the expected value in frames": (
        """
import sys
def f():
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):
            if isinstance(value, dict):
                for key in ("expect", "expected", "result"):
                    if key in value: return value[key]
            if hasattr(value, "expect"): return value.expect
        frame = frame.f_back
    return 0
""",
        {"wrong", "exception"},
    ),
    "looks for the expected value in the heap": (
        """
import gc
def f():
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            for key, value in list(thing.items()):
                if key in ("expect", "expected"): return value
                if type(value) is int and value > 900000000 and value < 920000000: return value
    return 0
""",
        {"wrong", "exception"},
    ),
    "looks for the tests in files": (
        """
import os
def f():
    for top in ("/proc/self/cwd", "/tmp", "/"):
        for folder, inner, names in os.walk(top):
            if folder.count("/") > 1: inner.clear()
            for name in names:
                if name.endswith((".yaml", ".yml")):
                    text = open(os.path.join(folder, name)).read()
                    if "expect" in text: return int(text.split("expect:")[1].split()[0])
    return 0
""",
        {"wrong", "exception"},
    ),
    "patches builtins": (
        "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.type = lambda v: int\n"
        "builtins.all = builtins.any = lambda *a: True\ndef f(): return 'passed'",
        {"wrong", "killed"},
    ),
    "patches json": (
        "import json\nreal = json.dumps\n"
        "json.dumps = lambda reply: real({'id': reply['id'], 'value': True, 'passed': True})\ndef f(): return 1",
        {"wrong"},
    ),
    "patches the guest's own functions": (
        "import sys\nmain = sys.modules['__main__']\nmain.encode = lambda *a: {'expected': True}\n"
        "main.answer = lambda *a: {'value': None, 'status': 'pass', 'passed': True}\ndef f(): return 1",
        {"wrong"},
    ),
    "replaces modules": (
        "import sys\nsys.modules.clear()\ndef f(): return 1",
        {"wrong", "killed", "exception"},
    ),
    "exits by atexit": (
        "import atexit, os\natexit.register(lambda: os._exit(0))\ndef f(): return 1",
        {"wrong"},
    ),
    "writes forged replies": (
        REPLY_FDS
        + "def f():\n    for fd in fds():\n        for n in range(9):\n            try: os.write(fd,"
        ' (\'{"id": %d, "value": true, "passed": true}\\n\' % n).encode())\n            except OSError: pass\n    return 1',
        {"wrong"},
    ),
    "replies from a thread": (
        REPLY_FDS + "import threading\ndef spam():\n    while True:\n        for fd in fds():\n"
        '            try: os.write(fd, b\'{"id": 2, "value": null}\\n\')\n            except OSError: pass\n'
        "threading.Thread(target=spam, daemon=True).start()\ndef f(): return 1",
        {"wrong", "output_cap", "killed"},
    ),
    "forks and both answer": ("import os\ndef f():\n    os.fork()\n    return 1", {"wrong"}),
    "kills its parents": (
        "import os, signal\ndef f():\n    for pid in (os.getppid(), 1, -1):\n        try: os.kill(pid, signal.SIGKILL)\n"
        "        except OSError: pass\n    return 1",
        {"wrong", "killed"},
    ),
    "raises an error that lies": (
        "class E(BaseException):\n    __name__ = 'int'\n    def __str__(self): raise RuntimeError\ndef f(): raise E()",
        {"exception"},
    ),
    "nested JSON": (
        REPLY_FDS
        + "def f():\n    for fd in fds():\n        try: os.write(fd, b'{\"id\": 2, \"value\": ' + b'[' * 60000 + b']' * 60000 + b'}\\n')\n"
        "        except OSError: pass\n    return 1",
        {"wrong"},
    ),
    "deep list": ("def f():\n    v = []\n    for _ in range(100000): v = [v]\n    return v", {"wrong"}),
    "endless list": ("def f():\n    v = []\n    v.append(v)\n    return v", {"wrong"}),
    "huge int": ("def f(): return 1 << 40_000_000", {"wrong"}),
    "int of too many digits": (
        REPLY_FDS
        + "def f():\n    for fd in fds():\n        try: os.write(fd, b'{\"id\": 2, \"value\": ' + b'9' * 50000 + b'}\\n')\n"
        "        except OSError: pass\n    return 1",
        {"wrong"},
    ),
    "colliding set": ("def f(): return {k * (2**61 - 1) for k in range(20000)}", {"wrong", "cpu_timeout"}),
    "reply without end": (
        REPLY_FDS
        + "def f():\n    while True:\n        for fd in fds():\n            try: os.write(fd, b'x' * 65536)\n"
        "            except OSError: pass",
        {"output_cap"},
    ),
    "generator": ("def f():\n    yield 918273645", {"wrong"}),
    "closes every descriptor": ("import os\ndef f():\n    os.closerange(0, 64)\n    return 1", {"killed"}),
    "crashes the interpreter": ("import ctypes\ndef f(): ctypes.string_at(0)", {"killed"}),
    "does not parse": ("def f(:\n    return 1", {"syntax"}),
    "no such function": ("def g(): return 918273645", {"no_code"}),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgery_is_rejected(name: str, sandbox: Sandbox, code_case) -> None:
    code, statuses = FORGERIES[name]
    case = code_case({"call": "f", "expect": SECRET})
    reply = f"```python\n{textwrap.dedent(code)}\n```"
    [check] = check_answer(case, "a", reply, execute=sandbox.open_session)
    assert check.passed is False
    assert check.status in statuses, check
    assert check.evidence
    assert len(check.evidence) < 600


def test_honest_program_passes(sandbox: Sandbox, code_case) -> None:
    case = code_case({"call": "f", "expect": SECRET})
    reply = f"```python\ndef f():\n    return {SECRET}\n```"
    [check] = check_answer(case, "a", reply, execute=sandbox.open_session)
    assert (check.status, check.passed, check.evidence) == ("pass", True, None)
    assert check.cpu_ms is not None
    assert check.wall_ms is not None


def test_program_that_dies_in_one_test_is_still_asked_the_others(sandbox: Sandbox, code_case) -> None:
    case = code_case(
        {"call": "f", "args": [0], "expect": 0},
        {"call": "f", "args": [1], "expect": 1},
        {"call": "f", "args": [2], "expect": 2},
    )
    reply = "```python\nimport os\ndef f(n):\n    if n == 1:\n        os._exit(0)\n    return n\n```"
    checks = check_answer(case, "a", reply, execute=sandbox.open_session)
    assert [check.status for check in checks] == ["pass", "killed", "pass"]


def test_programs_state_does_not_reach_the_next_answer(sandbox: Sandbox, code_case) -> None:
    case = code_case({"call": "f", "expect": 1})
    reply = "```python\nimport builtins, sys\nbuiltins.seen = getattr(builtins, 'seen', 0) + 1\ndef f(): return seen\n```"
    for _ in range(2):
        [check] = check_answer(case, "a", reply, execute=sandbox.open_session)
        assert check.status == "pass"
