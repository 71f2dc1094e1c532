"""The isolated execution of code that a model wrote.

`Sandbox` opens sessions and proves its walls; `Session` is one program behind them.
"""

from evaluators.sandbox.policy import Limits
from evaluators.sandbox.process import SandboxFault, SessionDied
from evaluators.sandbox.sandbox import Sandbox, SandboxReport, SandboxUnavailable
from evaluators.sandbox.session import Reply, Session

__all__ = [
    "Limits",
    "Reply",
    "Sandbox",
    "SandboxFault",
    "SandboxReport",
    "SandboxUnavailable",
    "Session",
    "SessionDied",
]
