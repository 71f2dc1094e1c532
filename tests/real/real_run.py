"""One run of the whole pipeline on the real server, and the configuration it takes."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pipeline.workspace import Workspace, until_gone

CLOSED, OPEN = 80, 12
"""Requests of the two loads: enough for a p95, and too few for one."""

ANSWER_TOKENS = 48
MIN_TOKENS = 6
"""Shortest reply of the models: see the fixture `real_models`."""

CASES, LANGUAGES, REPEATS = 4, 2, 2
N_ANSWERS = CASES * LANGUAGES * REPEATS
"""Questions that one cell is asked: the quick cases of the suite."""

WORKLOADS = {
    "closed": {
        "arrivals": "closed",
        "concurrency": 2,
        "n_requests": CLOSED,
        "prompts": "short",
        "max_tokens": 8,
        "warm_up_requests": 2,
        # Longer than a request may take at all: each that succeeds is a good one.
        "slo": {"ttft_ms": 600_000},
    },
    "open": {
        "arrivals": "constant",
        "rate_rps": 4,
        "n_requests": OPEN,
        "prompts": "short",
        "max_tokens": 16,
        "warm_up_requests": 1,
    },
    "long": {
        "arrivals": "closed",
        "concurrency": 2,
        "n_requests": 60,
        "prompts": "short",
        "max_tokens": 32,
        "warm_up_requests": 1,
        "abort_error_rate": None,
    },
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The run's workspace, and what the command said."""

    space: Workspace
    done: subprocess.CompletedProcess[str]
    python: Path
    models: Mapping[str, Path]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.space.rows(sql)

    def value(self, sql: str) -> Any:
        ((value,),) = self.space.rows(sql)
        return value


def configure(space: Workspace, python: Path, env: Mapping[str, str], models: Mapping[str, Path]) -> None:
    """Name the real server and its models in the workspace's configuration."""
    kept = {name: value for name, value in env.items() if name not in ("HOME", "PATH")}
    # Several threads gain nothing on a model this small, and wait for each other where cores are few.
    kept |= {"OMP_NUM_THREADS": "1"}
    options = {
        "command": [str(python), "-m", "transformers.cli.transformers"],
        "args": ["--model-timeout=-1"],
        "env": kept,
    }
    target = {"kind": "transformers", "life": "managed", "options": options}
    space.edit("targets.yaml", lambda c: c["targets"].update(transformers=target))
    named = {
        name: {"served_name": str(path), "targets": ["transformers"], "family": "llama"}
        for name, path in models.items()
    }
    space.edit("models.yaml", lambda c: c["models"].update(named))
    space.edit("workloads.yaml", lambda c: c["workloads"].update(WORKLOADS))
    price = {"usd_per_hour": 3.6, "source": "the test", "as_of": "2026-01-01"}
    space.edit("prices.yaml", lambda c: c["prices"].update(transformers=price))


def measure(space: Workspace, python: Path, env: Mapping[str, str], models: Mapping[str, Path]) -> Measured:
    """Run the models under the closed and the open load in a fresh workspace."""
    configure(space, python, env, models)
    space.experiment(
        "real",
        matrix={"targets": ["transformers"], "models": list(models)},
        workloads=["closed", "open"],
        suites=[{"name": "coding-core", "tags": ["quick"]}],
        repeats=REPEATS,
        sampling={"max_tokens": ANSWER_TOKENS},
    )
    done = space.bakeoff("run", "real", limit_s=400)
    # Before anything else is started in this workspace: whatever the run started has ended with it.
    assert until_gone(str(space.root)) == []
    return Measured(space=space, done=done, python=python, models=models)
