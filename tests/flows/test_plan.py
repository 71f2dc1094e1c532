"""The plan is a pure function: the same cells, ids and hash for the same experiment on every night."""

from hypothesis import given
from hypothesis import strategies as st

from flows.config import ROOT, load_catalog, load_experiment
from flows.plan import cell_id, config_hash, estimate_s, plan_cells

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
    first = cell_id(target, model, given, load)
    again = cell_id(target, model, dict(reversed(given.items())), load)
    assert first == again
    assert all(c.isascii() and (c.isalnum() or c in ".-_") for c in first)
    assert len(first) <= 90


@given(settings, settings)
def test_different_settings_are_different_cells(one: dict[str, object], other: dict[str, object]) -> None:
    same = cell_id("t", "m", one, "w") == cell_id("t", "m", other, "w")
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
