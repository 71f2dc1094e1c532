"""The servers of one run: opened when first needed, remembered when dead, always stopped."""

from types import TracebackType
from typing import Self

from bench.backends import open_backend
from bench.backends.base import Backend, Target


class Servers:
    """Owns the backends of a run; leaving it stops every managed server, also on Ctrl-C.

    `dead` maps a target to the reason why its remaining cells are not even tried.
    """

    def __init__(self) -> None:
        self._open: dict[str, Backend] = {}
        self.dead: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for backend in self._open.values():
            backend.stop()

    def backend(self, target: Target) -> Backend:
        """The one backend of `target` in this run.

        Raises:
            BackendError: its kind is unknown.
        """
        if target.name not in self._open:
            self._open[target.name] = open_backend(target)
        return self._open[target.name]

    def note_failure(self, target: Target, reason: str) -> None:
        """After a failed cell: an attached server that no longer answers is dead for the rest of the run.

        A managed one is started again by the next cell's load_model, once per cell.
        """
        if target.life == "attached" and not self._open[target.name].alive():
            self.dead[target.name] = reason
