"""The sandbox of this host: found once, proven by hostile programs of our own, then opened per answer."""

import os
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass

from evaluators.sandbox import cgroup, policy
from evaluators.sandbox.probe import find_leaks
from evaluators.sandbox.process import SandboxFault, SessionDied
from evaluators.sandbox.session import Session, open_session


class SandboxUnavailable(Exception):
    """No code can be executed here, and why, in one line. Says nothing about any answer."""


@dataclass(frozen=True, kw_only=True)
class SandboxReport:
    """Whether code may be executed: `isolation` is `strict`, or None with the `reason`.

    `caps_total_memory`: a control group caps all processes together; else each has a cap of its own.
    """

    available: bool
    isolation: str | None
    reason: str | None
    caps_total_memory: bool = False


class Sandbox:
    """Opens sandboxed sessions; refuses to, with the reason, unless its self-test has passed.

    The self-test runs once, at the first `probe` or `open_session`. There is no weaker mode to fall back to.

    Args:
        limits: caps of each session.
        bwrap: path of bubblewrap; looked up in PATH if None.
    """

    def __init__(self, *, limits: policy.Limits | None = None, bwrap: str | None = None) -> None:
        self.limits = limits or policy.Limits()
        self._launcher = policy.find_launcher(bwrap=bwrap, is_root=os.geteuid() == 0)
        self._hierarchies: cgroup.Hierarchies | None = None
        self._report: SandboxReport | None = None
        self._lock = threading.Lock()

    def probe(self) -> SandboxReport:
        """What this sandbox is worth here, by attacking it; the answer is kept."""
        with self._lock:
            if self._report is None:
                self._report = self._attack()
            return self._report

    def open_session(self, code: str) -> AbstractContextManager[Session]:
        """A fresh sandbox with `code` loaded; use it in the thread that opened it.

        Raises:
            SandboxUnavailable: the self-test did not pass; nothing was executed.
            SandboxFault: on entering: this one sandbox did not start.
        """
        report = self.probe()
        if not report.available or isinstance(self._launcher, str):
            raise SandboxUnavailable(report.reason or "no sandbox")
        return open_session(self._launcher, self.limits, self._hierarchies, code)

    def _attack(self) -> SandboxReport:
        if isinstance(self._launcher, str):
            return SandboxReport(available=False, isolation=None, reason=self._launcher)
        self._hierarchies = cgroup.find_hierarchies()
        launcher, hierarchies = self._launcher, self._hierarchies
        try:
            leaks = find_leaks(
                lambda code: open_session(launcher, self.limits, hierarchies, code), self.limits
            )
        except (SandboxFault, SessionDied) as error:
            return SandboxReport(available=False, isolation=None, reason=f"self-test did not run: {error}")
        if leaks:
            reason = "self-test failed, so no code is executed: " + "; ".join(leaks)
            return SandboxReport(available=False, isolation=None, reason=reason)
        caps = self._hierarchies is not None
        return SandboxReport(available=True, isolation="strict", reason=None, caps_total_memory=caps)
