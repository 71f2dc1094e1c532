"""The protocol's two sides agree on plain data, and refuse all else."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.grading import matches
from evaluators.sandbox import guest, wire

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**63, max_value=2**4000)
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
HASHABLE = st.recursive(SCALARS.filter(lambda v: v == v), lambda inner: st.tuples(inner, inner), max_leaves=4)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.sets(HASHABLE, max_size=3)
        | st.frozensets(HASHABLE, max_size=3)
        | st.dictionaries(HASHABLE, inner, max_size=3)
    ),
    max_leaves=12,
)


def over_the_wire(form: object) -> object:
    return wire.parse(json.dumps({"value": form}).encode())["value"]


@given(PLAIN)
def test_what_the_guest_sends_arrives_as_it_was(value: object) -> None:
    sent = guest.encode(value, [guest.MAX_NODES, guest.MAX_CHARS])
    assert matches(value, wire.decode(over_the_wire(sent)))


@given(PLAIN)
def test_what_the_grader_sends_arrives_as_it_was(value: object) -> None:
    assert matches(value, guest.decode(over_the_wire(wire.encode(value)), {}))


@given(PLAIN, PLAIN)
def test_match_is_reflexive_and_symmetric(one: object, other: object) -> None:
    assert matches(one, one)
    assert matches(one, other) == matches(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        ([1], (1,)),
        ({1}, frozenset({1})),
        ({1: 2}, {True: 2}),
        ({1}, {1.0}),
        ("1", 1),
    ],
)
def test_types_are_compared_exactly(one: object, other: object) -> None:
    assert not matches(one, other)


def test_nan_matches_nan_only() -> None:
    assert matches(math.nan, math.nan)
    assert not matches(math.nan, 1.0)


def test_looser_comparisons_are_as_loose_as_they_say() -> None:
    assert matches([[1, 2]], [(1, 2)], "sequence")
    assert not matches([[1, 2]], [(1, 3)], "sequence")
    assert matches([3, 1, 2], [1, 2, 3], "unordered")
    assert not matches([1, 1, 2], [1, 2, 2], "unordered")
    assert matches([1.0], [1.05], tolerance=0.1)
    assert not matches([1.0], [1.2], tolerance=0.1)


@pytest.mark.parametrize(
    "value", [object(), print, type("I", (int,), {})(1), type("S", (str,), {})("x"), range(3)]
)
def test_anything_but_exact_builtin_types_is_not_sent(value: object) -> None:
    with pytest.raises(guest.Unsendable):
        guest.encode(value, [10, 10])


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b'"x"',
        b"9" * 5000,
        b'{"value": ' + b"[" * 100_000,
        b'{"a": ' * 50_000,
        b"\xff\xfe",
    ],
)
def test_broken_lines_are_refused(line: bytes) -> None:
    with pytest.raises(wire.BadReply):
        wire.parse(line)


@pytest.mark.parametrize(
    "form",
    [
        {"z": 1},
        {"t": 5},
        {"t": [], "s": []},
        {"i": "zz"},
        {"i": "f" * 600_000},
        {"b": 3},
        {"c": [1]},
        {"d": [[1]]},
        {"d": 7},
        {"s": [[1]]},
        {"s": list(range(20_000))},
        {"h": "name"},
        [1] * 130_000,
    ],
)
def test_forms_out_of_bounds_are_refused(form: object) -> None:
    with pytest.raises(wire.BadReply):
        wire.decode(form)


def test_a_deep_form_is_refused() -> None:
    form: object = 1
    for _ in range(wire.MAX_DEPTH + 2):
        form = [form]
    with pytest.raises(wire.BadReply, match="deep"):
        wire.decode(form)
