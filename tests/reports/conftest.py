"""Example runs for the report tests: invented data of tests/cases/reports."""

import json
from pathlib import Path
from typing import Any

import pytest

from reports.data import ReportData

CASES = Path(__file__).parents[1] / "cases" / "reports"


def read_case(name: str) -> ReportData:
    fields: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    assert fields.pop("_note").startswith("Invented example data")
    fields["sql"] = [tuple(pair) for pair in fields["sql"]]
    return ReportData(**fields)


@pytest.fixture
def quick_start() -> ReportData:
    return read_case("quick_start")


@pytest.fixture
def many_cells() -> ReportData:
    return read_case("many_cells")


@pytest.fixture
def all_failed() -> ReportData:
    return read_case("all_failed")


@pytest.fixture
def all_null() -> ReportData:
    return read_case("all_null")


@pytest.fixture(params=["quick_start", "many_cells", "all_failed", "all_null"])
def any_case(request: pytest.FixtureRequest) -> ReportData:
    return read_case(request.param)
