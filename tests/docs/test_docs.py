"""The documents name what there is: keys, columns, classes, constants, variables, files; and nothing else."""

import os
import re
import struct
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from bench.backends import BACKENDS
from bench.errors import FAILURES
from cli.main import VERBS
from evaluators import clarity, code_quality, consistency, structure
from evaluators.records import JUDGEMENTS
from evaluators.sandbox.policy import Limits
from flows import schema
from flows.setup import Overrides
from scripts import sql_reference
from tests.docs.documents import DOCUMENTS, ROOT, read, rows, section, tracked_texts, words
from warehouse.store import open_warehouse

METRICS = read("docs/METRICS.md")
CONFIG = read("docs/CONFIG.md")
LEADERBOARD = section(METRICS, "## The leaderboard")

SHAPES = [
    shape
    for shape in vars(schema).values()
    if isinstance(shape, type) and issubclass(shape, schema.Strict) and shape is not schema.Strict
]

SET_AND_READ_BY_US = {"BAKEOFF_CANARY", "BAKEOFF_SECRET_CANARY"}
"""What the sandbox must not see: planted and looked for within one self-test."""


def ask(query: str) -> list[str]:
    with open_warehouse(None) as store:
        return [row[0] for row in store.sql(query)[1]]


def columns_of(view: str) -> list[str]:
    return ask(f"select column_name from (describe {view})")


def first_column(text: str) -> set[str]:
    return {word for row in rows(text) for word in words(row[0])}


def listed_in_comment(table: str, column: str) -> set[str]:
    """The values that a column's comment lists before it explains any of them."""
    (comment,) = ask(
        f"select comment from duckdb_columns() where table_name = '{table}' and column_name = '{column}'"
    )
    return set(re.findall(r"[a-z_]+", re.sub(r"\([^)]*\)", "", comment))) - {"or"}


@pytest.mark.parametrize("shape", [*SHAPES, Overrides], ids=lambda shape: shape.__name__)
def test_every_configuration_key_is_documented(shape: type[BaseModel]) -> None:
    known = words(CONFIG)
    assert [name for name in shape.model_fields if name not in known] == []


@pytest.mark.parametrize(
    ("heading", "shape"),
    [
        ("## targets.yaml", schema.TargetConfig),
        ("## workloads.yaml", schema.WorkloadConfig),
        ("## experiments/*.yaml", schema.Experiment),
    ],
)
def test_documented_defaults_are_the_defaults(heading: str, shape: type[BaseModel]) -> None:
    compared = 0
    for key, *_, default in rows(section(CONFIG, heading)):
        names = words(key)
        for name in names & set(shape.model_fields) if len(names) == 1 else ():
            field = shape.model_fields[name]
            if default == "required":
                assert field.is_required(), name
                compared += 1
            elif re.fullmatch(r"`.*`|[\d.]+", default):
                assert yaml.safe_load(default.strip("`")) == field.get_default(), name
                compared += 1
    assert compared >= 3


@pytest.mark.parametrize("key", ["sampling", "weights"])
def test_documented_defaults_of_groups_are_the_defaults(key: str) -> None:
    (row,) = [row for row in rows(section(CONFIG, "## experiments/*.yaml")) if row[0] == f"`{key}`"]
    told = {name: yaml.safe_load(value) for name, value in re.findall(r"`(\w+)` \(([\d.]+)", row[1])}
    shape: Any = schema.Experiment.model_fields[key].annotation
    assert told == shape().model_dump()


def test_every_kind_and_verb_is_documented() -> None:
    assert set(BACKENDS) <= words(section(CONFIG, "## targets.yaml"))
    assert set(BACKENDS) <= words(read("README.md")) | set(re.findall(r"\w+", read("README.md")))
    assert all(f"bakeoff {verb}" in read("README.md") for verb in VERBS)


def test_leaderboard_columns_are_those_documented() -> None:
    columns = columns_of("leaderboard")
    tables = (
        section(LEADERBOARD, "### Which cell") + LEADERBOARD.split("### Quality\n")[1].split("### Model")[0]
    )
    assert first_column(tables) == set(columns)
    assert set(schema.GoalMetric.__args__) <= set(columns)


def test_durations_and_stamps_are_those_documented() -> None:
    durations = {name for name in columns_of("request_metrics") if name.endswith("_ms")}
    assert first_column(section(METRICS, "## Durations of one request")) == durations
    stamps = {name for name in columns_of("requests") if name.endswith("_ns")} - {"chunk_offsets_ns"}
    assert first_column(section(METRICS, "## Stamps of a request")) == stamps


def test_classes_and_statuses_are_those_documented() -> None:
    assert first_column(section(METRICS, "## Outcomes of a request")) == set(FAILURES)
    assert first_column(section(METRICS, "### correctness")) == listed_in_comment("checks", "status")
    judged = METRICS.split("## The four judgements")[1].split("### correctness")[0]
    assert first_column(judged) == listed_in_comment("scores", "status")
    assert listed_in_comment("stages", "stage") <= words(read("docs/GLOSSARY.md"))
    assert listed_in_comment("trace_exports", "status") == first_column(
        section(read("docs/TRACING.md"), "## Counting")
    )


def weights_in(text: str) -> dict[str, float]:
    return {words(row[0]).pop(): float(row[1]) for row in rows(text)}


def test_constants_of_the_judgements_are_those_documented() -> None:
    assert all(f"### {name}\n" in METRICS for name in JUDGEMENTS)
    assert weights_in(section(METRICS, "### code_quality")) == code_quality.WEIGHTS
    of_code, of_text = section(METRICS, "### clarity").split("| facet, review and architecture")
    assert weights_in(of_code) == clarity.CODE_WEIGHTS
    assert weights_in(of_text) == clarity.TEXT_WEIGHTS
    alike = section(METRICS, "### consistency")
    assert f"floor {structure.CODE_FLOOR:.2f} for code and {structure.TEXT_FLOOR:.2f} for prose" in alike
    assert f"at least {consistency.MIN_WORDS:.0f} words" in alike
    assert f"Needs {consistency.MIN_REPEATS} answers" in alike


def test_limits_of_the_sandbox_and_sample_minimums_are_those_documented() -> None:
    told = " ".join(section(METRICS, "### correctness").split())
    limits = Limits()
    told_limits = f"{limits.cpu_s} s of CPU and {limits.wall_s:.0f} s in all, {limits.memory_mib} MiB, "
    assert told_limits + f"{limits.n_processes} processes, {limits.output_bytes >> 20} MiB of output" in told
    minimums = ask("select unnest([min_samples(0.90), min_samples(0.95), min_samples(0.99)])")
    p90, p95, p99 = map(str, minimums)
    assert f"Below {p90} values p90 is NULL, below {p95} p95, below {p99} p99" in METRICS


def test_every_variable_that_the_code_reads_is_documented() -> None:
    read_in = {}
    for name, text in tracked_texts():
        if name.endswith((".py", ".sh", ".yaml", "Makefile")) and not name.startswith("tests/docs/"):
            ours = "BAKEOFF" if name.startswith("tests/") else "BAKEOFF|LANGFUSE"
            found = re.findall(rf"\b(?:{ours})_[A-Z][A-Z_]*[A-Z]\b", text)
            found += re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"\]?(?!\]? =)", text)
            found += re.findall(r"\$\{([A-Z][A-Z_]+):[-+]", text)
            read_in.update(dict.fromkeys(found, name))
    assert "BAKEOFF_DATA" in read_in
    known = words(CONFIG) | SET_AND_READ_BY_US | {"PATH", "HOME"}
    assert {variable: file for variable, file in read_in.items() if variable not in known} == {}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Any) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        there = path.parent / file if file else path
        assert there.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
            assert anchor in slugs, link


def test_generated_part_of_the_sql_page_is_up_to_date() -> None:
    text = read("docs/SQL.md")
    assert text == sql_reference.with_reference(text), "run scripts/sql_reference.py"


def test_picture_of_the_report_is_a_small_png() -> None:
    data = (ROOT / "docs" / "images" / "report.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, _ = struct.unpack(">II", data[16:24])
    assert 1200 <= width <= 1600
    assert len(data) < 250_000


def test_no_file_names_a_place_on_somebodys_machine_or_a_package_host() -> None:
    # Put together here, or this file would find itself.
    places = [rf"(?<![\w.\]/-])/{top}/\w" for top in ("work", "root", "home", "Users")]
    places += [r"/tmp/(?:w|bash_jobs)\b"]
    hosts = [r"pypi\." + "org", "python" + "hosted", r"download\.py" + "torch", r"conda\." + "anaconda"]
    machine = [re.escape(os.path.expanduser("~")) + r"/\w"] if len(os.path.expanduser("~")) > 1 else []
    forbidden = re.compile("|".join([*places, *hosts, *machine]))
    found = {
        f"{name}: {match[0]}"
        for name, text in tracked_texts()
        if (match := forbidden.search(text)) is not None
    }
    assert found == set()
