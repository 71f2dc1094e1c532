"""What a real `transformers serve` does on the wire: the facts that our backend for it relies on.

Nothing of ours but the tiny model takes part; a fact that a newer server changes fails here, by name.
"""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.real]

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "피보나치 함수를 쓰고 설명해줘. Write fib(n)."},
]


@pytest.fixture
def client(real_server: Any) -> Iterator[httpx.Client]:
    # Connections are not kept: the server drops one after a 500 without saying so (see the test of it).
    with httpx.Client(base_url=real_server.url, timeout=60.0, trust_env=False, limits=NOT_KEPT) as opened:
        yield opened


NOT_KEPT = httpx.Limits(max_keepalive_connections=0)


def chat_body(model: Path, **fields: Any) -> dict[str, Any]:
    body = {"model": str(model), "messages": MESSAGES, "stream": True, "max_tokens": 32, "temperature": 1.0}
    return {**body, **fields}


def events(text: str) -> list[Any]:
    """Parse `data:` events as JSON; anything else in the stream, such as [DONE], is an error here."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    assert all(block.startswith("data: ") for block in blocks)
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def stream(client: httpx.Client, body: dict[str, Any]) -> list[Any]:
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events(answer.text)


def content(chunks: list[Any]) -> list[str]:
    return [text for chunk in chunks if (text := chunk["choices"][0]["delta"].get("content"))]


def test_ready_process_has_no_model_and_says_nothing_of_local_ones(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/v1/models").json()["data"] == []
    assert client.get("/metrics").status_code == 404


def test_load_is_told_step_by_step_and_the_second_one_is_cached(
    client: httpx.Client, tiny_model: Path
) -> None:
    client.post("/reset").raise_for_status()
    told = events(client.post("/load_model", json={"model": str(tiny_model)}).text)
    assert [event["status"] for event in told[:-1]] == ["loading"] * (len(told) - 1)
    weights = [event["progress"] for event in told if event.get("stage") == "weights"]
    assert weights
    assert weights[-1]["current"] == weights[-1]["total"]
    ready = {"status": "ready", "model": f"{tiny_model}@main"}
    assert told[-1] == {**ready, "cached": False}
    again = events(client.post("/load_model", json={"model": str(tiny_model)}).text)
    assert again == [{**ready, "cached": True}]


def test_load_of_a_missing_model_is_an_error_event_in_a_200(client: httpx.Client, tmp_path: Path) -> None:
    answer = client.post("/load_model", json={"model": str(tmp_path / "missing")})
    assert answer.status_code == 200
    last = events(answer.text)[-1]
    assert last["status"] == "error"
    assert last["message"]


@pytest.mark.parametrize("extra", [{}, {"stream_options": {"include_usage": True}}, {"stream_options": None}])
def test_usage_comes_in_the_finish_chunk_whatever_is_asked(
    client: httpx.Client, tiny_model: Path, extra: dict[str, Any]
) -> None:
    chunks = stream(client, chat_body(tiny_model, **extra))
    *others, last = chunks
    assert others[0]["choices"][0]["delta"] == {"role": "assistant"}
    assert all(len(chunk["choices"]) == 1 for chunk in chunks)
    assert all(chunk["model"] == f"{tiny_model}@main" for chunk in chunks)
    assert not any("usage" in chunk or "finish_reason" in chunk["choices"][0] for chunk in others)
    assert last["choices"][0]["finish_reason"] in {"length", "stop"}
    usage = last["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_token_counts_and_text_are_those_of_the_model_itself(
    client: httpx.Client, tiny_model: Path, real_python: Path
) -> None:
    told = subprocess.run(
        [real_python, ROOT / "tests" / "real" / "reference.py", tiny_model, "32"],
        input=json.dumps(MESSAGES),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=120,
    )
    expected = json.loads(told.stdout)
    chunks = stream(client, chat_body(tiny_model, temperature=0))
    assert chunks[-1]["usage"]["prompt_tokens"] == expected["tokens_in"]
    assert chunks[-1]["usage"]["completion_tokens"] == expected["tokens_out"]
    # Bytes that are no character are told differently piece by piece than as a whole; all else is the same.
    streamed = "".join(content(chunks))
    assert streamed.replace("\ufffd", "") == expected["text"].replace("\ufffd", "")


def test_sampled_replies_have_real_lengths_and_follow_their_seed(
    client: httpx.Client, tiny_model: Path
) -> None:
    bodies = [chat_body(tiny_model, max_tokens=64, top_p=0.95, seed=seed) for seed in (1, 2, 3, 4, 1)]
    replies = [stream(client, body) for body in bodies]
    for chunks in replies:
        tokens = chunks[-1]["usage"]["completion_tokens"]
        assert (chunks[-1]["choices"][0]["finish_reason"] == "length") == (tokens == 64)
        # A token may end inside a character, and the end of the turn has no text: chunks are fewer.
        assert 0 < len(content(chunks)) <= tokens <= 64
    # The end of the turn has one chance in 2048 a token: not all of them are cut short.
    assert any(chunks[-1]["usage"]["completion_tokens"] == 64 for chunks in replies)
    texts = ["".join(content(chunks)) for chunks in replies]
    assert texts[0] == texts[4]
    assert len(set(texts)) == 4


def test_min_new_tokens_in_generation_config_stands_in_for_ignore_eos(
    client: httpx.Client, tiny_model: Path
) -> None:
    config = json.dumps({"min_new_tokens": 200, "do_sample": True})
    last = stream(client, chat_body(tiny_model, max_tokens=200, generation_config=config))[-1]
    assert last["usage"]["completion_tokens"] == 200
    assert last["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("field", ["ignore_eos", "top_k", "min_tokens", "repetition_penalty", "cache_prompt"])
def test_unknown_field_is_refused_by_name(client: httpx.Client, tiny_model: Path, field: str) -> None:
    answer = client.post("/v1/chat/completions", json=chat_body(tiny_model, **{field: 1}))
    assert answer.status_code == 422
    assert field in answer.json()["detail"]


def test_bad_value_is_an_error_event_after_a_200(client: httpx.Client, tiny_model: Path) -> None:
    chunks = stream(client, chat_body(tiny_model, max_tokens=0))
    assert [list(chunk) for chunk in chunks[1:]] == [["error"]]


def test_unknown_model_is_a_bare_500_that_drops_the_connection(
    real_server: Any, client: httpx.Client, tmp_path: Path
) -> None:
    body = chat_body(tmp_path / "missing")
    answer = client.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    # The server closes after a 500 without a `Connection: close`, so the next request on a kept connection
    # may be reset though the server is well. On one of its own it is answered.
    assert "connection" not in answer.headers
    assert client.get("/health").status_code == 200
    assert real_server.process.poll() is None


def test_concurrent_streams_are_served_one_after_another(real_server: Any, tiny_model: Path) -> None:
    arrivals: list[int] = []

    async def follow(client: httpx.AsyncClient, name: int) -> None:
        body = chat_body(tiny_model, max_tokens=128, seed=name)
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            async for block in answer.aiter_raw():
                if b'"content"' in block:
                    arrivals.append(name)

    async def follow_all() -> None:
        async with (
            httpx.AsyncClient(base_url=real_server.url, timeout=60.0, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            for name in range(3):
                group.create_task(follow(client, name))

    asyncio.run(follow_all())
    assert set(arrivals) == {0, 1, 2}
    switches = sum(before != after for before, after in pairwise(arrivals))
    assert switches <= len(arrivals) // 10  # interleaved, it would be most of them


def test_reset_unloads_and_the_next_load_is_a_real_one(client: httpx.Client, tiny_model: Path) -> None:
    client.post("/load_model", json={"model": str(tiny_model)}).raise_for_status()
    assert client.post("/reset").json() == {"status": "ok"}
    assert events(client.post("/load_model", json={"model": str(tiny_model)}).text)[-1]["cached"] is False


def test_killed_server_breaks_the_stream_before_its_finish_chunk(
    start_server: Callable[[], AbstractContextManager[Any]], tiny_model: Path
) -> None:
    config = json.dumps({"min_new_tokens": 4000, "do_sample": True})
    body = chat_body(tiny_model, max_tokens=4000, generation_config=config)
    received: list[bytes] = []

    def read_and_kill(server: Any, answer: httpx.Response) -> None:
        for block in answer.iter_raw():
            received.append(block)
            if b'"content"' in block and server.process.poll() is None:
                os.killpg(server.process.pid, signal.SIGKILL)
                server.process.wait()

    with (
        start_server() as server,
        httpx.Client(base_url=server.url, timeout=60.0, trust_env=False) as client,
        client.stream("POST", "/v1/chat/completions", json=body) as answer,
    ):
        assert answer.status_code == 200
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            read_and_kill(server, answer)
    assert b'"content"' in b"".join(received)
    assert b"finish_reason" not in b"".join(received)


def test_seed_decides_the_weights(real_python: Path, tiny_model: Path, tmp_path: Path) -> None:
    script = ROOT / "scripts" / "tiny_model.py"
    for folder, extra in (("same", []), ("other", ["--seed", "2"])):
        subprocess.run([real_python, script, tmp_path / folder, *extra], check=True, timeout=120)
    weights = {
        path: (path / "model.safetensors").read_bytes() for path in (tmp_path / "same", tmp_path / "other")
    }
    assert weights[tmp_path / "same"] == (tiny_model / "model.safetensors").read_bytes()
    assert weights[tmp_path / "other"] != weights[tmp_path / "same"]


def test_folder_that_holds_something_is_refused_in_one_line(real_python: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    done = subprocess.run(
        [real_python, ROOT / "scripts" / "tiny_model.py", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "is not an empty folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
