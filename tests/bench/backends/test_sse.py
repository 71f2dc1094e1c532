import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backends.sse import Event, events


def parse(*chunks: bytes) -> list[Event]:
    return list(events((i, chunk) for i, chunk in enumerate(chunks)))


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_all_line_ends_end_a_line(end: bytes) -> None:
    body = end.join([b"event: a", b"data: 1", b"data: 2", b"", b": ping", b"", b"data:3", b"", b""])
    assert parse(body) == [Event(0, "a", "1\n2"), Event(0, "message", "3")]


def test_an_event_is_stamped_with_the_read_that_completed_it() -> None:
    assert parse(b"data: 1\n", b"", b"\ndata", b": 2\r\n\r", b"\ndata: 3\n\n") == [
        Event(2, "message", "1"),
        Event(3, "message", "2"),
        Event(4, "message", "3"),
    ]


def test_a_line_feed_after_a_split_carriage_return_is_no_blank_line() -> None:
    assert parse(b"data: 1\r", b"\n", b"data: 2\r\n\r\n") == [Event(2, "message", "1\n2")]


def test_an_event_without_its_blank_line_was_cut() -> None:
    assert parse(b"data: 1\n\ndata: 2\n") == [Event(0, "message", "1")]


def test_byte_order_mark_fields_without_colon_and_unknown_fields() -> None:
    assert parse(b"\xef\xbb", b"\xbfdata: 1\nid: 7\nretry: 5\nfoo\ndata\n\nevent: x\n\n") == [
        Event(1, "message", "1\n")
    ]


def test_an_endless_line_costs_no_more_than_its_length() -> None:
    start = time.process_time()
    assert parse(*[b"x" * 1000] * 20_000) == []
    assert time.process_time() - start < 2


LINES = st.lists(
    st.one_of(
        st.just(b""),
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=8).map(
            lambda text: b"data: " + text.encode()
        ),
        st.sampled_from([b": comment", b"event: e", b"data"]),
    ),
    max_size=12,
)


@given(LINES, st.sampled_from([b"\n", b"\r", b"\r\n"]), st.data())
def test_where_reads_are_cut_does_not_matter(lines: list[bytes], end: bytes, data: st.DataObject) -> None:
    body = b"".join(line + end for line in lines)
    cuts = sorted({0, len(body), *data.draw(st.sets(st.integers(0, len(body))))})
    pieces = [body[a:b] for a, b in pairwise(cuts)]
    assert [(e.kind, e.data) for e in parse(*pieces)] == [(e.kind, e.data) for e in parse(body)]
