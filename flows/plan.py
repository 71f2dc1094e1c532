"""Experiment to cells: pure, and the same cells for the same experiment on every night."""

import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.config import Catalog
from flows.schema import Experiment, Setting


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One combination: the unit that succeeds, fails, is resumed and is compared.

    `cell_id` is a readable stem plus a hash of the combination and of what it is measured with: the same on
    every night, until something changes that makes the figures unlike.
    """

    cell_id: str
    index: int
    target: str
    model: str
    settings: Mapping[str, Setting]
    workload: str


@dataclass(frozen=True)
class Skip:
    """A combination that is not run, and why."""

    target: str
    model: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The cells of an experiment in the order in which they run, and what is left out."""

    cells: tuple[Cell, ...]
    skipped: tuple[Skip, ...]


def plan_cells(experiment: Experiment, catalog: Catalog) -> Plan:
    """Multiply the matrix out: targets, then models, then settings, then workloads.

    A model that names the targets able to serve it is skipped on the others. Cells of one target stand
    together, so that a managed server is started once for all of them.
    """
    matrix = experiment.matrix
    measures = {name: measured_with(experiment, catalog, name) for name in experiment.workloads}
    cells: list[Cell] = []
    skipped: list[Skip] = []
    for target, model in itertools.product(matrix.targets, matrix.models):
        able = catalog.models[model].targets
        if able is not None and target not in able:
            skipped.append(Skip(target, model, f"{model} is served by {', '.join(able)} only"))
            continue
        for values in itertools.product(*matrix.settings.values()):
            settings = dict(zip(matrix.settings, values, strict=True))
            for workload in experiment.workloads:
                cells.append(
                    Cell(
                        cell_id=cell_id(target, model, settings, workload, measures[workload]),
                        index=len(cells) + 1,
                        target=target,
                        model=model,
                        settings=settings,
                        workload=workload,
                    )
                )
    return Plan(tuple(cells), tuple(skipped))


def cell_id(
    target: str, model: str, settings: Mapping[str, Setting], workload: str, measure: Mapping[str, Any]
) -> str:
    """A readable stem and eight hex digits of a hash; safe as a folder's name.

    The hash covers the names of target and model, the settings, the workload's name and `measure`
    (`measured_with`): two cells of one id were measured alike, in whatever run. Owner, purpose, tags,
    priority and goals do not change a figure and are left out.
    """
    content = canonical([target, model, dict(settings), workload, measure])
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    stem = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{target}.{model}.{workload}")[:80]
    return f"{stem}.{digest}"


def measured_with(experiment: Experiment, catalog: Catalog, workload: str) -> dict[str, Any]:
    """What else the figures of a cell depend on, as plain data.

    The workload's content and its prompts, the chosen suites (name, tags, content), repeats, sampling and
    weights, and the experiment's seed: it deals the prompts and spaces the arrivals.
    """
    load = catalog.workloads[workload]
    prompts = [p for p in catalog.prompt_sets[load.prompts] if p.language in load.languages]
    suites = sorted((c.name, sorted(c.tags), catalog.suites[c.name].content_hash) for c in experiment.suites)
    return {
        "workload": load.model_dump(mode="json"),
        "prompts": [[p.prompt_id, p.language, p.text] for p in prompts],
        "suites": suites,
        "repeats": experiment.repeats,
        "sampling": experiment.sampling.model_dump(mode="json"),
        "weights": experiment.weights.model_dump(mode="json"),
        "seed": experiment.seed,
    }


def config_hash(experiment: Experiment, catalog: Catalog) -> str:
    """SHA-256 of all that the run's results depend on in the configuration, before `${ENV}` is filled in.

    Keys and headers are left out: they may hold secrets and do not change a result.
    """
    used = {
        # Raised when cell ids come about in another way: a run begun before must not go on with other ids.
        "identity": 2,
        "experiment": experiment.model_dump(mode="json", exclude={"id"}),
        "targets": {
            n: catalog.targets[n].model_dump(mode="json", exclude={"api_key", "headers"})
            for n in experiment.matrix.targets
        },
        "models": {n: catalog.models[n].model_dump(mode="json") for n in experiment.matrix.models},
        "workloads": {n: catalog.workloads[n].model_dump(mode="json") for n in experiment.workloads},
        "prompts": {
            n: [[p.prompt_id, p.language, p.text] for p in catalog.prompt_sets[catalog.workloads[n].prompts]]
            for n in experiment.workloads
        },
        "suites": {c.name: catalog.suites[c.name].content_hash for c in experiment.suites},
    }
    return hashlib.sha256(canonical(used).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def estimate_s(cell: Cell, experiment: Experiment, catalog: Catalog, measured: Mapping[str, float]) -> float:
    """Seconds a cell may take: its last measured duration if there is one, else a rule of thumb.

    The rule: 30 s for load and warm-up, the load test's own duration (or half a second a request and
    stream), and five seconds an answer on four streams. It says nothing about a server never measured.
    """
    if cell.cell_id in measured:
        return measured[cell.cell_id]
    load = catalog.workloads[cell.workload]
    streams = load.concurrency or 1
    test_s = load.duration_s or (load.n_requests or 0) / (load.rate_rps or 2.0 * streams)
    return 30.0 + test_s + n_questions(experiment, catalog) * experiment.repeats * 5.0 / 4.0


def n_questions(experiment: Experiment, catalog: Catalog) -> int:
    """Questions of the chosen cases, one for each language a case is written in."""
    return sum(
        len(case.prompts)
        for choice in experiment.suites
        for case in catalog.suites[choice.name].cases
        if case.case_id in chosen_cases(experiment, catalog, choice.name)
    )


def chosen_cases(experiment: Experiment, catalog: Catalog, suite: str) -> list[str]:
    """Ids of the suite's cases that the experiment asks for: all, or those with one of its tags."""
    wanted = {tag for c in experiment.suites if c.name == suite for tag in c.tags}
    return [c.case_id for c in catalog.suites[suite].cases if not wanted or wanted & set(c.tags)]
