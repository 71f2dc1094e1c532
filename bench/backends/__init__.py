"""The only place that speaks HTTP: one file per kind of server, and the wire."""

from collections.abc import Callable, Mapping

from bench.backends import openai, simulator, transformers
from bench.backends.base import Backend, Target
from bench.backends.openai import OpenAIBackend
from bench.backends.simulator import SimulatorBackend
from bench.backends.transformers import TransformersBackend
from bench.errors import BackendError

BACKENDS: dict[str, Callable[[Target], Backend]] = {
    "openai": OpenAIBackend,
    "simulator": SimulatorBackend,
    "transformers": TransformersBackend,
}
"""Every kind of server we can talk to; a new kind is one file, one line here and one in `SETTINGS`."""

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "openai": openai.SETTINGS,
    "simulator": simulator.SETTINGS,
    "transformers": transformers.SETTINGS,
}
"""The settings that `load_model` of each kind applies; an experiment that names another is refused."""


def open_backend(target: Target) -> Backend:
    """The backend for a target; nothing is started or called yet.

    Raises:
        BackendError: unknown kind, or a target that its kind cannot use.
    """
    if target.kind not in BACKENDS:
        raise BackendError(
            f"target '{target.name}': unknown kind '{target.kind}'; known: {', '.join(sorted(BACKENDS))}"
        )
    if target.life not in {"managed", "attached"}:
        raise BackendError(
            f"target '{target.name}': life must be 'managed' or 'attached', not '{target.life}'"
        )
    return BACKENDS[target.kind](target)
