"""Chat completions: reading the request, writing the reply's frames."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.simulator.text import count_tokens
from bench.simulator.wire import event_chunk

DEFAULT_MAX_TOKENS = 128
TEMPLATE_TOKENS_PER_MESSAGE = 4
"""What the pretended chat template adds to each message."""


class BadChat(ValueError):
    """A chat request that cannot be served, in one line; `status` is the HTTP status that says so."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """What we need of a chat request; `prompt` joins the user's messages, `seed` is None if not given."""

    model: str
    prompt: str
    prompt_tokens: int
    max_tokens: int
    seed: int | None
    stream: bool
    include_usage: bool


def parse_chat(body: bytes) -> ChatRequest:
    """The request in `body`; fields we have no use for (temperature, stop, …) are accepted and ignored.

    Raises:
        BadChat: not JSON, or a field of the wrong type or range.
    """
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadChat("the body is not JSON") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("model"), str):
        raise BadChat("'model' must be a string")
    texts = _message_texts(raw.get("messages"))
    max_tokens = raw.get("max_completion_tokens") or raw.get("max_tokens") or DEFAULT_MAX_TOKENS
    if type(max_tokens) is not int or max_tokens < 1:
        raise BadChat("'max_tokens' must be an integer >= 1")
    seed = raw.get("seed")
    if seed is not None and type(seed) is not int:
        raise BadChat("'seed' must be an integer")
    options = raw.get("stream_options")
    return ChatRequest(
        model=raw["model"],
        prompt="\n".join(text for role, text in texts if role == "user"),
        prompt_tokens=sum(count_tokens(text) + TEMPLATE_TOKENS_PER_MESSAGE for _, text in texts),
        max_tokens=max_tokens,
        seed=seed,
        stream=raw.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def _message_texts(messages: Any) -> list[tuple[str, str]]:
    if not isinstance(messages, list) or not messages:
        raise BadChat("'messages' must be a list with at least one message")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            raise BadChat("each message must be an object with a string 'content'")
    return [(str(message.get("role", "user")), message["content"]) for message in messages]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A reply decided in full before its first token is due; only the timing is still to come."""

    reply_id: str
    model: str
    created_unix_s: int
    prompt_tokens: int
    tokens: Sequence[str]
    finish_reason: str

    @property
    def usage(self) -> dict[str, int]:
        """Token counts, true by construction: one content chunk is one token."""
        n_out = len(self.tokens)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": n_out,
            "total_tokens": self.prompt_tokens + n_out,
        }

    def _event(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        event = {
            "id": self.reply_id,
            "object": "chat.completion.chunk",
            "created": self.created_unix_s,
            "model": self.model,
            "choices": choices,
            **more,
        }
        return event_chunk(json.dumps(event, ensure_ascii=False).encode())

    def role_frame(self) -> bytes:
        """The first event: a role, no content. A client that takes it for a token has a wrong TTFT."""
        delta = {"role": "assistant", "content": ""}
        return self._event([{"index": 0, "delta": delta, "finish_reason": None}])

    def token_frame(self, index: int) -> bytes:
        """The event that carries token `index`."""
        return self._event([{"index": 0, "delta": {"content": self.tokens[index]}, "finish_reason": None}])

    def finish_frame(self) -> bytes:
        """The event that says why the reply ended."""
        return self._event([{"index": 0, "delta": {}, "finish_reason": self.finish_reason}])

    def usage_frame(self) -> bytes:
        """The event with the token counts and no choice."""
        return self._event([], usage=self.usage)

    def whole(self) -> dict[str, Any]:
        """The body of a reply that is not streamed."""
        message = {"role": "assistant", "content": "".join(self.tokens)}
        return {
            "id": self.reply_id,
            "object": "chat.completion",
            "created": self.created_unix_s,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
            "usage": self.usage,
        }


DONE_FRAME = event_chunk(b"[DONE]")
ERROR_FRAME = event_chunk(
    b'{"error":{"message":"simulated failure in the middle of the stream","type":"server_error","code":500}}'
)
