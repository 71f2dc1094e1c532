"""The plan is a pure function: the same cells, ids and hash for the same experiment on every night."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.config import ROOT, Catalog, load_catalog, load_experiment
from flows.plan import cell_id, config_hash, estimate_s, measured_with, n_questions, plan_cells
from flows.schema import Experiment

CATALOG = load_catalog(ROOT / "configs")
EXPERIMENT = load_experiment(ROOT / "configs" / "experiments" / "quick-start.yaml", CATALOG)

names = st.text(min_size=1, max_size=40)
settings = st.dictionaries(names, st.integers() | st.text(max_size=5) | st.booleans(), max_size=4)


def test_matrix_is_multiplied_out_in_order() -> None:
    matrix = EXPERIMENT.matrix.model_copy(update={"settings": {"context_tokens": [12800, 41200]}})
    plan = plan_cells(
        EXPERIMENT.model_copy(update={"matrix": matrix, "workloads": ["quick", "low"]}), CATALOG
    )
    assert len(plan.cells) == 3 * 2 * 2
    assert [cell.index for cell in plan.cells] == list(range(1, 13))
    assert [cell.workload for cell in plan.cells[:2]] == ["quick", "low"]
    assert [cell.settings["context_tokens"] for cell in plan.cells[:4]] == [12800, 12800, 41200, 41200]
    assert len({cell.cell_id for cell in plan.cells}) == 12


def test_a_model_is_skipped_on_a_target_that_cannot_serve_it_and_says_why() -> None:
    matrix = EXPERIMENT.matrix.model_copy(
        update={"targets": ["simulator", "my-server"], "models": ["sim-hasty"]}
    )
    plan = plan_cells(EXPERIMENT.model_copy(update={"matrix": matrix}), CATALOG)
    assert [cell.target for cell in plan.cells] == ["simulator"]
    assert [(s.target, s.reason) for s in plan.skipped] == [
        ("my-server", "sim-hasty is served by simulator only")
    ]


@given(names, names, settings, names)
def test_cell_id_is_stable_and_safe_as_a_folder(
    target: str, model: str, given: dict[str, object], load: str
) -> None:
    first = cell_id(target, model, given, load, {"repeats": 3})
    again = cell_id(target, model, dict(reversed(given.items())), load, {"repeats": 3})
    assert first == again
    assert all(c.isascii() and (c.isalnum() or c in ".-_") for c in first)
    assert len(first) <= 90


@given(settings, settings)
def test_different_settings_are_different_cells(one: dict[str, object], other: dict[str, object]) -> None:
    same = cell_id("t", "m", one, "w", {}) == cell_id("t", "m", other, "w", {})
    assert same == (repr(sorted(one.items())) == repr(sorted(other.items())))


def test_hash_follows_the_configuration_but_not_the_keys() -> None:
    before = config_hash(EXPERIMENT, CATALOG)
    assert before == config_hash(EXPERIMENT.model_copy(update={"id": "EXP-20260101-01"}), CATALOG)
    assert before != config_hash(EXPERIMENT.model_copy(update={"repeats": 4}), CATALOG)
    target = CATALOG.targets["simulator"]
    with_key = {**CATALOG.targets, "simulator": target.model_copy(update={"api_key": "sk-canary"})}
    changed = CATALOG.__class__(**{**vars(CATALOG), "targets": with_key})
    assert before == config_hash(EXPERIMENT, changed)


def test_estimate_prefers_what_was_measured() -> None:
    cell = plan_cells(EXPERIMENT, CATALOG).cells[0]
    assert estimate_s(cell, EXPERIMENT, CATALOG, {cell.cell_id: 12.5}) == 12.5
    assert estimate_s(cell, EXPERIMENT, CATALOG, {}) > 30


def first_id(experiment: Experiment, catalog: Catalog) -> str:
    return plan_cells(experiment, catalog).cells[0].cell_id


@pytest.mark.parametrize(
    "change",
    [
        {"repeats": 2},
        {"seed": 43},
        {"suites": []},
        {"suites": [EXPERIMENT.suites[0].model_copy(update={"tags": []})]},
        {"sampling": EXPERIMENT.sampling.model_copy(update={"temperature": 0.1})},
        {"weights": EXPERIMENT.weights.model_copy(update={"correctness": 0.2, "clarity": 0.4})},
    ],
    ids=lambda change: next(iter(change)),
)
def test_cells_measured_otherwise_are_other_cells(change: dict[str, Any]) -> None:
    before = first_id(EXPERIMENT, CATALOG)
    after = first_id(EXPERIMENT.model_copy(update=change), CATALOG)
    assert before != after
    assert before.rpartition(".")[0] == after.rpartition(".")[0]


def test_edited_workload_prompts_or_suite_are_another_cell() -> None:
    before = first_id(EXPERIMENT, CATALOG)
    quick = CATALOG.workloads["quick"]
    slower = {**CATALOG.workloads, "quick": quick.model_copy(update={"concurrency": 4})}
    prompts = CATALOG.prompt_sets[quick.prompts]
    reworded = (dataclasses.replace(prompts[0], text="Another question."), *prompts[1:])
    suite = dataclasses.replace(CATALOG.suites["coding-core"], content_hash="0" * 64)
    for changed in (
        dataclasses.replace(CATALOG, workloads=slower),
        dataclasses.replace(CATALOG, prompt_sets={**CATALOG.prompt_sets, quick.prompts: reworded}),
        dataclasses.replace(CATALOG, suites={"coding-core": suite}),
    ):
        assert first_id(EXPERIMENT, changed) != before


def test_what_is_only_said_of_an_experiment_leaves_its_cells_alone() -> None:
    said = {"owner": "x", "purpose": "y", "tags": ["z"], "goals": [], "priority": "high", "name": "other"}
    other = {**CATALOG.workloads, "low": CATALOG.workloads["low"].model_copy(update={"max_tokens": 1})}
    changed = dataclasses.replace(CATALOG, workloads=other)
    assert first_id(EXPERIMENT.model_copy(update=said), changed) == first_id(EXPERIMENT, CATALOG)
    assert measured_with(EXPERIMENT, CATALOG, "quick")["seed"] == EXPERIMENT.seed


def test_questions_are_counted_by_the_languages_that_the_cases_are_written_in() -> None:
    assert n_questions(EXPERIMENT, CATALOG) == 4 * 2
    suite = CATALOG.suites["coding-core"]
    english = [case.model_copy(update={"prompts": {"en": case.prompts["en"]}}) for case in suite.cases]
    suites = {"coding-core": dataclasses.replace(suite, cases=tuple(english))}
    assert n_questions(EXPERIMENT, dataclasses.replace(CATALOG, suites=suites)) == 4
