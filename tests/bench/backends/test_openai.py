import asyncio
import json
import socket

import pytest

from bench.backends import BACKENDS, open_backend
from bench.backends.address import is_here, resolve
from bench.backends.base import Backend, Target
from bench.errors import BackendError
from tests.bench.recordings import recording, replayed
from tests.bench.servers import Call, Handler, plain, serve


def attached(base_url: str, **fields: object) -> Backend:
    return open_backend(
        Target(**{"name": "mine", "kind": "openai", "life": "attached", "base_url": base_url, **fields})
    )


def routes(**handlers: Handler) -> Handler:
    async def handler(call: Call, writer: asyncio.StreamWriter) -> None:
        missing = plain("404 Not Found", "application/json", b'{"detail": "Not Found"}')
        await handlers.get(call.path.rsplit("/", 1)[1], missing)(call, writer)

    return handler


def models(*names: str) -> Handler:
    body = json.dumps({"object": "list", "data": [{"id": name} for name in names]})
    return plain("200 OK", "application/json", body.encode())


def test_a_model_that_is_listed_is_taken() -> None:
    served_by = routes(models=models("a", "b"), version=replayed(recording("vllm/version")))
    with serve(served_by) as served:
        backend = attached(served.url)
        report = backend.load_model("b", {})
        assert backend.list_models() == ["a", "b"]
        backend.stop()
    assert report.server_version == "0.32.0"
    assert (report.process_ready_ms, report.model_ready_ms) == (None, None)


@pytest.mark.parametrize("name", ["vllm/models_list", "llama-server/models_list"])
def test_recorded_lists_are_read(name: str) -> None:
    with serve(routes(models=replayed(recording(name)))) as served:
        backend = attached(served.url)
        assert backend.list_models() == ["tiny"]
        backend.load_model("tiny", {})
        with pytest.raises(
            BackendError, match=r"model 'x' is not served by http://127.0.0.1:\d+; it lists: tiny"
        ):
            backend.load_model("x", {})
        backend.stop()


@pytest.mark.parametrize(
    "handler",
    [
        models(),
        plain("500 Oops", "text/plain", b"Internal Server Error"),
        plain("200 OK", "text/html", b"<html>"),
        models("anthropic/*", "openai/*"),
    ],
)
def test_a_server_without_a_usable_list_is_taken_at_its_word(handler: Handler) -> None:
    with serve(routes(models=handler)) as served:
        backend = attached(served.url)
        backend.load_model("openai/gpt", {})
        backend.stop()


def test_a_refused_key_is_told_at_once_and_without_the_key() -> None:
    async def refuse(call: Call, writer: asyncio.StreamWriter) -> None:
        told = f'{{"error": {{"message": "bad key: {call.headers["authorization"]}"}}}}'
        await plain("401 Unauthorized", "application/json", told.encode())(call, writer)

    with serve(routes(models=refuse)) as served:
        backend = attached(served.url, api_key="sk-secret-1")
        with pytest.raises(BackendError) as caught:
            backend.load_model("a", {})
        backend.stop()
    assert str(caught.value) == "GET /v1/models answered HTTP 401: bad key: [secret]"
    assert caught.value.outcome == "http_4xx"
    assert "sk-secret-1" not in repr(backend.target) + repr(backend.endpoint())


def closed_address() -> str:
    with serve(plain("200 OK", "text/plain", b"")) as served:
        return served.url


def test_a_server_that_is_not_there() -> None:
    backend = attached(closed_address())
    assert not backend.alive()
    assert backend.server_metrics() is None
    with pytest.raises(
        BackendError, match=r"^GET http://127.0.0.1:\d+/v1/models failed: no connection: Conn"
    ):
        backend.load_model("a", {})
    backend.stop()


def test_a_busy_server_is_alive_although_it_does_not_answer() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert attached(f"http://127.0.0.1:{listener.getsockname()[1]}").alive()


def test_metrics_are_fetched_and_a_server_without_is_asked_once() -> None:
    with serve(routes(metrics=plain("200 OK", "text/plain", b"up 1\n"))) as served:
        backend = attached(served.url + "/v1/")
        assert backend.server_metrics() == "up 1\n"
        backend.stop()
    with serve(routes()) as served:
        backend = attached(served.url)
        assert [backend.server_metrics() for _ in range(3)] == [None, None, None]
        assert len(served.calls) == 1
        backend.stop()


def test_a_control_call_is_bounded_in_time_and_size() -> None:
    async def drip(_: Call, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 2**20)
            await writer.drain()

    with serve(routes(models=drip)) as served:
        backend = attached(served.url)
        with pytest.raises(BackendError, match="does not end"):
            backend.list_models()
        backend.stop()


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("http://host:8000", "http://host:8000"),
        ("http://host:8000/v1/", "http://host:8000"),
        ("https://host/openai/v1", "https://host/openai"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_address_is_normalised(given: str, root: str) -> None:
    assert attached(given).endpoint().base_url == root


@pytest.mark.parametrize(
    "url", ["http://me:canary@h:1", "http://h/v1?token=canary", "//me:canary@h", "http://h#canary"]
)
def test_credentials_in_an_address_are_refused_without_showing_them(url: str) -> None:
    with pytest.raises(BackendError, match="base_url must hold no user name, password or query") as caught:
        resolve(Target(name="t", kind="openai", life="attached", base_url=url))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"base_url": "host:8000"}, "base_url must look like http://HOST:PORT"),
        ({"base_url": "http://host:port"}, "base_url is not an address"),
        ({"base_url": None}, "has no base_url"),
        ({"life": "managed"}, "kind 'openai' can only be attached, not managed"),
        ({"life": "rented"}, "life must be 'managed' or 'attached', not 'rented'"),
        ({"kind": "vlm"}, "unknown kind 'vlm'; known: openai, simulator, transformers"),
        ({"options": {"chatpath": 1}}, "unknown option 'chatpath'; known: chat_path, extra_body"),
        ({"api_key": "a\nb"}, "header 'Authorization' has characters that HTTP does not allow"),
    ],
)
def test_a_target_that_cannot_be_used_is_one_line(fields: dict, message: str) -> None:
    with pytest.raises(BackendError) as caught:
        attached(**{"base_url": "http://h", **fields})
    assert str(caught.value).startswith("target 'mine': ") or "target 'mine'" in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_where_an_address_is() -> None:
    assert is_here("127.0.0.1")
    assert is_here("::1")
    assert not is_here("192.0.2.1")
    assert not is_here("no-such-host.invalid")
    assert set(BACKENDS) == {"openai", "simulator", "transformers"}
