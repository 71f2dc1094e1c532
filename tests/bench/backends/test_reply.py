import json
from dataclasses import asdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backends.base import Reply
from bench.backends.reply import Capture, assemble
from bench.errors import FAILURES
from tests.bench.recordings import Recording, captured, generations, recording
from tests.bench.servers import DONE, FINISH, ROLE, USAGE, WHOLE, chunk, content

RECORDINGS = generations()


def outcome_of(expected: dict) -> str:
    """What the recording's own facts make of it under our taxonomy."""
    status = expected["http_status"]
    if status != 200:
        return "http_4xx" if status < 500 else "http_5xx"
    if expected["usage_where"] == "body":
        return "bad_body"  # a plain JSON reply has no stamps to measure
    return "ok" if expected["complete"] else "truncated"


@pytest.mark.parametrize("record", RECORDINGS, ids=lambda r: r.name)
def test_a_recording_is_read_as_its_facts_say(record: Recording) -> None:
    expected = record.expected
    reply = assemble(captured(record))
    assert reply.outcome == outcome_of(expected)
    assert reply.http_status == expected["http_status"]
    if reply.outcome == "bad_body":
        return
    assert (reply.text or "") == expected["text"]
    assert reply.finish_reason == expected["finish_reason"]
    assert reply.model_echo == expected["model_echo"]
    assert (reply.content_chunks or 0) == expected["n_content_chunks"]
    usage = expected["usage"] or {}
    assert reply.tokens_in == usage.get("prompt_tokens")
    assert reply.tokens_out_usage == usage.get("completion_tokens")
    assert reply.tokens_out == (usage.get("completion_tokens") or expected["n_content_chunks"] or None)
    assert reply.cached_tokens == (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    if expected["error"]:
        # 60 characters: ours is one line, and shorter than some.
        assert " ".join(expected["error"].split())[:60] in reply.error
    index = expected["first_content_read_index"]
    assert reply.first_token_ns == (None if index is None else record.reads[index][0])


def test_each_outcome_is_among_the_recordings() -> None:
    found = {outcome_of(record.expected) for record in RECORDINGS}
    assert found == {"ok", "truncated", "bad_body", "http_4xx", "http_5xx"}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("transformers/chat_stream_usage", "usage"),
        ("vllm/continuous_usage_stats", "usage"),
        ("litellm/completions_stream_no_options", "chunks"),
        ("litellm/chat_stream_no_options", "chunks"),
    ],
)
def test_the_source_of_a_count_is_told(name: str, source: str) -> None:
    assert assemble(captured(recording(name))).tokens_out_source == source


@given(data=st.data())
def test_where_reads_are_cut_does_not_change_what_is_read(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from([r for r in RECORDINGS if r.expected["http_status"] == 200]))
    whole = captured(record)
    body = b"".join(piece for _, piece in whole.reads)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=30)) | {0, len(body)})
    pieces = [(7, body[a:b]) for a, b in pairwise(cuts)]
    recut = Capture(sent_ns=0, http_status=200, reads=pieces, failure=whole.failure)
    one, other = asdict(assemble(whole)), asdict(assemble(recut))
    untimed = [k for k in one if not k.endswith("_ns") and k != "error"]
    assert {k: one[k] for k in untimed} == {k: other[k] for k in untimed}


def read(*parts: bytes, status: int = 200, **fields: object) -> Reply:
    """A reply whose parts came in one read each, at 1, 2, 3, … ns."""
    reads = [(i + 1, part) for i, part in enumerate(parts)]
    return assemble(Capture(sent_ns=0, http_status=status, reads=reads, closed_ns=99, **fields))


def test_a_role_is_not_a_token_and_stamps_are_those_of_the_reads() -> None:
    reply = read(ROLE, ROLE, content("a"), content(""), content("b") + content("c"), FINISH, USAGE, DONE)
    assert (reply.first_byte_ns, reply.first_token_ns, reply.first_answer_ns) == (1, 3, 3)
    assert (reply.last_token_ns, reply.closed_ns) == (5, 99)
    assert reply.chunk_offsets_ns == [3, 5, 5]
    assert (reply.text, reply.content_chunks, reply.tokens_out) == ("abc", 3, 3)


def test_reasoning_is_a_token_but_not_an_answer() -> None:
    reply = read(
        ROLE,
        chunk(delta={"reasoning_content": "hm"}),
        chunk(delta={"reasoning": "mm"}),
        content("a"),
        FINISH,
    )
    assert (reply.reasoning, reply.text) == ("hmmm", "a")
    assert (reply.first_token_ns, reply.first_answer_ns) == (2, 4)
    assert reply.content_chunks == 3


def test_a_tool_call_is_a_token() -> None:
    call = {"tool_calls": [{"index": 0, "function": {"name": "add", "arguments": ""}}]}
    reply = read(ROLE, chunk(delta=call), FINISH)
    assert (reply.outcome, reply.first_token_ns, reply.first_answer_ns, reply.text) == ("ok", 2, None, None)


@pytest.mark.parametrize(
    ("parts", "outcome", "error"),
    [
        ((b"",), "empty", "HTTP 200 with an empty body"),
        ((ROLE, FINISH, DONE), "empty", "finished (stop) without any text"),
        ((ROLE, content("a")), "truncated", "stream ended without finish_reason after 2 events"),
        ((ROLE, content("a"), DONE), "truncated", "stream ended without finish_reason after 3 events"),
        ((b'data: {"choi',), "truncated", "stream ended inside its first event"),
        (
            (content("a"), b'data: {"error": {"message": "out of memory"}}\n\n'),
            "stream_error",
            "out of memory",
        ),
        ((b'data: {"error": "boom"}\n\n', FINISH), "stream_error", "boom"),
        ((b"event: error\ndata: gone\n\n",), "stream_error", "gone"),
        ((b'{"error": {"message": "late"}}',), "stream_error", "late"),
        ((content("a"), chunk(delta={}, finish_reason="abort")), "stream_error", "finish_reason abort"),
        ((content("a"), b"data: {nonsense\n\n", FINISH), "bad_body", "not a JSON object: {nonsense"),
        ((b"<html><body>\nLogin</body></html>",), "bad_body", "<html><body> Login</body></html>"),
        ((b'{"choices": []}',), "bad_body", "instead of an event stream, although stream was asked for"),
        ((b"\x00\xff\xfe",), "bad_body", "instead of an event stream"),
    ],
)
def test_a_200_is_no_success_by_itself(parts: tuple[bytes, ...], outcome: str, error: str) -> None:
    reply = read(*parts)
    assert reply.outcome == outcome
    assert error in reply.error
    assert "\n" not in reply.error


@pytest.mark.parametrize(
    ("status", "body", "outcome", "error"),
    [
        (429, b'{"error": {"message": "slow down"}}', "http_429", "HTTP 429: slow down"),
        (404, b'{"error": "no such model"}', "http_4xx", "HTTP 404: no such model"),
        (422, b'{"detail": [{"loc": ["n"]}]}', "http_4xx", 'HTTP 422: [{"loc": ["n"]}]'),
        (500, b"Internal Server Error", "http_5xx", "HTTP 500: Internal Server Error"),
        (503, b"", "http_5xx", "HTTP 503: no text in the body"),
        (302, b"", "bad_body", "HTTP 302: no text in the body"),
    ],
)
def test_an_error_status_is_named_with_the_servers_reason(
    status: int, body: bytes, outcome: str, error: str
) -> None:
    reply = read(body, status=status)
    assert (reply.outcome, reply.error) == (outcome, error)
    assert reply.tokens_out is None
    assert reply.content_chunks is None


def test_a_cut_stream_counts_what_came_and_says_by_what() -> None:
    usage = (
        b'data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}\n\n'
    )
    reply = read(usage, failure=("truncated", "server closed the connection after 1 reads"))
    assert (reply.outcome, reply.tokens_out, reply.tokens_out_source) == ("truncated", 1, "chunk_usage")


def test_a_failure_of_the_wire_is_kept() -> None:
    reply = assemble(Capture(failure=("connect", "no connection: Connection refused")))
    assert (reply.outcome, reply.error) == ("connect", "no connection: Connection refused")
    assert (reply.http_status, reply.sent_ns, reply.tokens_out, reply.text) == (None, None, None, None)


@pytest.mark.parametrize("value", [-1, True, 2**31, 1.5, "12", None, [3], 10**30])
def test_a_count_that_cannot_be_is_unknown(value: object) -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": value}})
    reply = read(content("a"), FINISH, f"data: {usage}\n\n".encode())
    assert reply.tokens_out_usage is None
    assert (reply.tokens_out, reply.tokens_out_source) == (1, "chunks")


def test_halves_of_a_character_are_joined_or_replaced() -> None:
    reply = read(
        b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\ude00 \\ud800 \\u0000"}}]}\n\n',
        FINISH,
    )
    assert reply.text == "😀 \ufffd \ufffd"


def test_a_secret_that_a_server_tells_back_is_removed() -> None:
    capture = Capture(http_status=401, reads=[(1, b"wrong key: sk-secret-1\r\n\x1b[31mgo away")])
    reply = assemble(capture, ["sk-secret-1"])
    assert reply.error == "HTTP 401: wrong key: [secret] [31mgo away"


def test_a_secret_that_a_model_tells_back_in_pieces_is_removed_from_its_text() -> None:
    reads = [
        (1, ROLE),
        (2, content("your key is sk-sec")),
        (3, content("ret-1, keep it")),
        (4, FINISH),
        (5, DONE),
    ]
    reply = assemble(Capture(sent_ns=0, http_status=200, reads=reads, closed_ns=9), ["sk-secret-1"])
    assert (reply.outcome, reply.text) == ("ok", "your key is [secret], keep it")


def test_a_long_error_is_cut() -> None:
    assert len(read(b"x" * 10_000, status=500).error) == 300


KEYS = [
    *("choices", "delta", "content", "usage", "error", "tool_calls", "function", "finish_reason"),
    *("completion_tokens", "prompt_tokens_details", "message", "model", "index"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.one_of(st.binary(max_size=20), JSON.map(lambda v: f"data: {json.dumps(v)}\n\n".encode()))))
def test_no_reply_of_a_server_breaks_the_reader(parts: list[bytes]) -> None:
    for status in (200, 500):
        reply = read(*parts, status=status)
        assert reply.outcome in ("ok", *FAILURES)
        assert (reply.outcome == "ok") == (reply.error is None)
        if reply.outcome == "ok":
            assert reply.first_token_ns is not None
            assert reply.tokens_out is not None
        json.dumps(asdict(reply)).encode("ascii")
        (reply.text or "").encode("utf-8")


def test_deep_nesting_does_not_break_the_reader() -> None:
    deep = b"[" * 200_000
    assert read(b"data: " + deep + b"\n\n").outcome == "bad_body"
    assert read(deep).outcome == "bad_body"
    nested = b'{"error": ' + b'{"a": ' * 900 + b"1" + b"}" * 901
    assert read(b"data: " + nested + b"\n\n").outcome == "stream_error"


def test_the_whole_reply_of_the_test_server_is_good() -> None:
    assert read(WHOLE).outcome == "ok"
