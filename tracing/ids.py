"""Ids that follow from what a call is, so that exporting a run twice updates it instead of doubling it."""

import hashlib
import json

from tracing.records import TracedCall


def seed(call: TracedCall) -> str:
    """The text that a call's ids are made from: a JSON list of what identifies it in the warehouse.

    A JSON list, because joining with any separator would let two different calls have one seed.
    """
    identity = [call.run_id, call.cell_id, call.attempt, call.kind, call.key]
    return json.dumps(identity, separators=(",", ":"))


def trace_id(call: TracedCall) -> bytes:
    """The 16 bytes of the trace id; the SDK's `create_trace_id(seed=...)` gives the same from `seed`."""
    return _digest(seed(call), 16)


def span_id(call: TracedCall) -> bytes:
    """The 8 bytes of the id of the call's one generation."""
    return _digest(seed(call) + "/span", 8)


def score_id(call: TracedCall, name: str) -> str:
    """The id of one score of the call: 32 hexadecimal digits."""
    return _digest(f"{seed(call)}/score/{name}", 16).hex()


def _digest(text: str, n_bytes: int) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:n_bytes]
