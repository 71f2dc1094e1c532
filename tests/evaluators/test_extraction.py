"""The program is found in replies as models write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.extraction import find_program, split_reply

GOOD = "def f():\n    return 1\n"


@pytest.mark.parametrize(
    "reply",
    [
        f"```python\n{GOOD}```",
        f"Sure:\n\n```py\n{GOOD}```\nDone.",
        f"```\n{GOOD}```",
        f"~~~python\n{GOOD}~~~",
        f"````python\n{GOOD}````",
        "1. Code:\n\n   ```python\n   def f():\n       return 1\n   ```",
        f"```python\n{GOOD}",
        GOOD,
        f"The old code was\n```python\ndef f():\n    return 0\n```\nand now it is\n```python\n{GOOD}```",
        f"```python\n{GOOD}```\nUse it:\n```python\nprint(f())\n```",
        f"```bash\npip install x\n```\n```python\n{GOOD}```",
        f'```python\nimport os\n```\nthen\n```python title="a.py"\n{GOOD}```',
    ],
)
def test_program_is_found(reply: str) -> None:
    code = find_program(reply, ["f"])
    assert code is not None
    assert "return 1" in code


def test_parts_are_put_together_when_no_block_has_all() -> None:
    reply = "```python\ndef f():\n    return g()\n```\nand\n```python\ndef g():\n    return 1\n```"
    code = find_program(reply, ["f", "g"])
    assert code is not None
    assert "def f" in code
    assert "def g" in code


def test_broken_program_is_found_to_be_called_broken() -> None:
    assert find_program("```python\ndef f(:\n```", ["f"]) == "def f(:\n"


@pytest.mark.parametrize(
    "reply", ["", "I would write a function f.", "```python\nprint(1)\n```", "```sql\ndef f(): 1\n```"]
)
def test_no_program(reply: str) -> None:
    assert find_program(reply, ["f"]) is None


@given(st.text(alphabet="`~ \npythonabc#-가", max_size=200))
def test_any_text_is_taken_apart(text: str) -> None:
    parts = split_reply(text)
    assert sum(len(block.code.strip()) for block in parts.blocks) + len(parts.prose) <= len(text) + 1
    find_program(text, ["f"])


def test_endless_reply_is_cut() -> None:
    assert find_program("x" * 3_000_000, ["f"]) is None
    assert find_program("(" * 90_000, ["f"]) is None
    assert find_program("f = " + "-" * 90_000 + "1", ["f"]) is None
    assert find_program("f = " + "+".join(["1"] * 30_000), ["f"]) is None
