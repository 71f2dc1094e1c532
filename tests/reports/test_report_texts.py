import json
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from reports.data import COLUMNS
from reports.goals import Goal, goals_of, holds, meets_all, met
from reports.markdown import leaderboard_artifact, literal, run_summary
from reports.names import cell_names, short_names
from reports.numbers import NULL, decimals_for, shown
from reports.ranking import comparable_groups, frontier, latency_column, ranked
from reports.sections import failure_lines, goal_lines, stage_lines, when
from reports.terminal import leaderboard_table, leaderboard_text
from reports.text import load_labels
from reports.verdict import verdict_of
from reports.visible import one_line, shortened, visible

points = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=20)


def _sentences(data, lang="en"):
    labels = load_labels(lang)
    return [verdict_of(g, goals_of(data.run), labels).sentences for g in comparable_groups(data.leaderboard)]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "ms", NULL),
        (float("nan"), "score", NULL),
        (0.0, "percent", "0.0"),
        (0.125, "percent", "12.5"),
        (18432.0, "gib", "18.0"),
        (1234.5, "ms", "1,234"),
        (3.14159, "ms", "3.14"),
        (float("inf"), "ms", "∞"),
        (-1.5, "watt", "−2"),
    ],
)
def test_numbers_are_written_for_the_eye(value, kind, text):
    assert shown(value, kind) == text


def test_a_column_has_one_number_of_digits():
    assert decimals_for([1.2, 34.0, 560.0]) == 1
    assert decimals_for([]) == 0


@given(st.text())
def test_visible_text_has_no_control_or_format_characters(words):
    allowed = set("\n\t")
    assert not [
        c for c in visible(words) if unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c not in allowed
    ]
    assert "\n" not in one_line(words)
    visible(words).encode("utf-8")


@given(st.text(max_size=60), st.integers(3, 40))
def test_shortened_text_keeps_both_ends(words, limit):
    short = shortened(words, limit)
    assert len(short) <= max(limit, 0) or short == words
    assert short[0:1] == words[0:1]


def test_long_text_says_how_much_was_left_out():
    assert visible("x" * 1500, limit=500).endswith("(+1,000)")


@given(points)
def test_frontier_is_what_nothing_beats(pairs):
    rows = [{"cell_id": i, "fast": float(x), "quality": float(y)} for i, (x, y) in enumerate(pairs)]
    front = frontier(rows, "fast")
    assert bool(front) == bool(rows)
    for row in rows:
        beaten = any(
            (o["fast"] < row["fast"] and o["quality"] >= row["quality"])
            or (o["fast"] <= row["fast"] and o["quality"] > row["quality"])
            for o in rows
        )
        assert (row["cell_id"] in front) == (not beaten)


def test_order_does_not_depend_on_the_order_of_rows(many_cells):
    rows = list(many_cells.leaderboard)
    assert ranked(rows) == ranked(rows[::-1])
    assert ranked(rows)[-1]["outcome"] == "failed"


def test_groups_never_mix_simulated_and_real_nor_workloads(many_cells, quick_start):
    for group in comparable_groups([*many_cells.leaderboard, *quick_start.leaderboard]):
        assert len({(row["simulated"], row["workload"]) for row in group.rows}) == 1


def test_median_is_compared_where_one_cell_lacks_p95(quick_start):
    rows = [dict(row) for row in quick_start.leaderboard]
    assert latency_column(rows) == "ttft_p95_ms"
    rows[0]["ttft_p95_ms"] = None
    assert latency_column(rows) == "ttft_p50_ms"


def test_cells_are_named_by_what_differs(many_cells, quick_start):
    assert [str(n) for n in cell_names(quick_start.leaderboard).values()] == [
        "sim-careful",
        "sim-balanced",
        "sim-hasty",
    ]
    names = cell_names(many_cells.leaderboard)
    assert len(set(names.values())) == 24
    assert str(names["c01"]) == "Qwen/Qwen3-Coder-30B-A3B-Instruct-AWQ · vllm-a · medium"
    assert short_names(names)["c01"].model == "Qwen3-Coder-30B-A3B-Instruct-AWQ"


def test_cells_that_would_look_alike_are_told_apart(quick_start):
    twins = [{**quick_start.leaderboard[0], "cell_id": cell} for cell in ("c1", "c2")]
    assert [str(n) for n in cell_names(twins).values()] == ["sim-careful · c1", "sim-careful · c2"]


def test_settings_that_differ_are_in_the_name(quick_start):
    first = quick_start.leaderboard[0]
    rows = [
        {**first, "cell_id": str(n), "settings": json.dumps({"context_tokens": n, "dtype": "auto"})}
        for n in (4096, 8192)
    ]
    assert [n.detail for n in cell_names(rows).values()] == ["context_tokens 4096", "context_tokens 8192"]


def test_verdict_names_the_best_that_meets_the_goals(quick_start):
    (sentences,) = _sentences(quick_start)
    assert (
        sentences[0] == "Serve sim-careful: quality 0.93, highest of the 2 of 3 cells that meet every goal."
    )


def test_verdict_compares_with_the_recommended_cell_only(many_cells):
    medium, stress = _sentences(many_cells)
    assert medium[0].startswith("Serve Qwen/Qwen3-Coder-30B-A3B-Instruct-AWQ · vllm-a")
    chosen = next(row for row in many_cells.leaderboard if row["cell_id"] == "c01")
    assert f"instead of {shown(chosen['ttft_p95_ms'], 'ms')} ms" in medium[1]
    assert stress[0].startswith("No cell meets every goal.")
    assert "misses ttft_p95_ms ≤ 500" in stress[0]


def test_verdict_without_goals_says_what_is_best_and_names_ties(quick_start):
    rows = [{**row, "quality": 0.8} for row in quick_start.leaderboard]
    tied = replace(quick_start, leaderboard=rows, run={**quick_start.run, "goals": None})
    assert _sentences(tied)[0][0].startswith("Tied for best quality (0.80) among 3 cells: sim-hasty")
    plain = replace(quick_start, run={**quick_start.run, "goals": "[]"})
    assert _sentences(plain)[0][0] == "sim-careful answers best: quality 0.93, highest of 3 cells."


def test_verdict_does_not_hide_errors_of_the_leader(quick_start):
    rows = [{**row, "error_rate": 0.25} for row in quick_start.leaderboard]
    failing = replace(quick_start, leaderboard=rows, run={**quick_start.run, "goals": None})
    assert "25.0 % of 80 requests to sim-careful did not complete" in _sentences(failing)[0][-1]


def test_verdict_without_quality_gives_the_reason_and_the_fastest(quick_start):
    rows = [
        {**row, "quality": None, "quality_reason": "correctness: 24 of 24 not judged (no bubblewrap)"}
        for row in quick_start.leaderboard
    ]
    sentences = _sentences(replace(quick_start, leaderboard=rows))[0]
    assert sentences[0] == "No verdict on quality: correctness: 24 of 24 not judged (no bubblewrap)"
    assert sentences[1] == "Fastest: sim-hasty (TTFT p95 45.0 ms)."


def test_failed_cells_take_no_part_in_the_verdict(quick_start):
    rows = [dict(row) for row in quick_start.leaderboard]
    rows[0]["outcome"] = "failed"
    assert _sentences(replace(quick_start, leaderboard=rows))[0][0].startswith("Serve sim-balanced")


def test_unknown_meets_no_goal():
    goal = Goal("ttft_p95_ms", "<=", 100.0)
    assert met(goal, {"ttft_p95_ms": None}) is None
    assert not meets_all([goal], {"ttft_p95_ms": None})
    assert met(goal, {"ttft_p95_ms": 100.0}) is True


def test_a_goal_holds_by_one_cell_or_by_every_cell():
    rows = [{"quality": 0.9}, {"quality": 0.5}]
    assert holds(Goal("quality", ">=", 0.8, "any"), rows)
    assert not holds(Goal("quality", ">=", 0.8, "every"), rows)
    assert not holds(Goal("quality", ">=", 0.8, "every"), [])


@pytest.mark.parametrize(
    "goals", ['[{"metric": "quality"}]', '[{"metric":"q","comparison":"~","value":1}]', "[1]"]
)
def test_goals_that_cannot_be_read_are_refused_in_one_line(goals):
    with pytest.raises(ValueError, match="expected") as caught:
        goals_of({"goals": goals})
    assert "\n" not in str(caught.value)


def test_a_stage_failure_that_is_the_cells_is_told_once(all_failed):
    cell = dict(all_failed.failures[0])
    rows = [cell, {**cell, "scope": "stage"}, {**cell, "scope": "stage", "stage": "teardown", "attempt": 2}]
    lines = failure_lines(rows, {}, load_labels("en"))
    assert [line.what for line in lines] == ["cell · load_model · attempt 1", "stage · teardown · attempt 2"]


def test_times_are_in_utc():
    assert when("2026-01-01T02:30:00+09:00") == "2025-12-31 17:30 UTC"
    assert when(None) == ""


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_terminal_table_fits_eighty_columns_without_losing_a_column(quick_start, lang):
    console = Console(width=80, record=True, file=open("/dev/null", "w"), color_system=None)  # noqa: SIM115
    with console.file:
        console.print(leaderboard_table(quick_start.leaderboard, lang=lang))
    lines = console.export_text()
    assert "sim-balanced" in lines
    assert "18.6" in lines
    assert "…" not in lines


def test_plain_table_names_every_cell_in_full_and_explains_every_dash(all_failed, many_cells):
    text = leaderboard_text(all_failed.leaderboard, lang="en", failures=all_failed.failures)
    assert "¹ the cell failed: load_model: connection refused: http://127.0.0.1:8000/v1/models" in text
    assert "Qwen/Qwen3-Coder-30B-A3B-Instruct-AWQ" in leaderboard_text(many_cells.leaderboard, lang="ko")


def test_plain_table_says_simulated_first(quick_start):
    assert leaderboard_text(quick_start.leaderboard, lang="en").startswith("SIMULATED")
    assert leaderboard_text([], lang="en") == "No cells.\n"


def test_real_and_simulated_cells_are_marked_apart_and_real_ones_never_as_simulated(quick_start):
    rows = [{**row, "model": f"m{i}", "simulated": i > 0} for i, row in enumerate(quick_start.leaderboard)]
    for lang, mark in (("en", "Simulated"), ("ko", "시뮬레이션")):
        labels = load_labels(lang)
        text = " ".join(leaderboard_text(rows, lang=lang).split())
        assert labels("terminal.simulated") not in text
        assert labels("page.mixed_explained") in text
        places = [text.index(part) for part in (labels("page.real_part"), "m0", f"· {mark}", "m1", "m2")]
        assert places[:3] == sorted(places[:3])
        assert max(places[1:3]) < min(places[3:])
        summary = run_summary(replace(quick_start, leaderboard=rows), lang=lang)
        assert labels("page.simulated_explained") not in summary
        assert labels("page.real_part") in summary


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(max_size=30))
def test_no_name_can_steer_a_terminal_or_break_markup(quick_start, words):
    rows = [{**row, "model": f"[bold]{words}\x1b[31m"} for row in quick_start.leaderboard]
    text = leaderboard_text(rows, lang="en")
    assert "\x1b" not in text
    assert "[bold]" in text


def test_summary_tells_verdict_goals_and_failures(quick_start):
    text = run_summary(quick_start, lang="en")
    assert "**SIMULATED**" in text
    assert "**Serve sim-careful: quality 0.93" in text
    assert "✕ error\\_rate ≤ 0.01 (every cell): 2 of 3 cells" in text
    assert "no byte within 60 s" in text


def test_summary_of_hostile_text_has_no_markup_of_its_own(all_failed):
    text = run_summary(all_failed, lang="en")
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


def test_markdown_links_and_images_stay_text():
    assert literal("![x](http://a)") == "!\\[x\\](http\\://a)"
    assert "www." not in literal("www.example.com")


def test_artifact_is_json_with_none_for_null(any_case):
    table = leaderboard_artifact(any_case.leaderboard)
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert len(table) == len(any_case.leaderboard)
    assert all(row["Cost ($/1M)"] is None for row in table if row["Outcome"] == "failed")


def test_example_rows_have_the_columns_a_report_needs(any_case):
    for part, columns in COLUMNS.items():
        for row in [any_case.run] if part == "run" else getattr(any_case, part):
            assert set(columns) <= set(row)


def test_a_goal_whose_metric_was_not_measured_says_so():
    rows = [{"quality": 0.9}, {"quality": None}]
    (told,) = goal_lines([Goal("quality", ">=", 0.8)], rows, load_labels("en"))
    assert told.met_by == "1 of 2 cells, 1 not measured"
    assert told.holds


def test_stages_show_where_a_cell_failed_and_never_round_time_to_zero(all_failed):
    names = cell_names(all_failed.leaderboard)
    rows = [{**row, "duration_ms": 0.4} for row in all_failed.stages]
    stages, lines = stage_lines(rows, names)
    assert stages == ["unload", "load_model"]
    assert [line.failed_at for line in lines] == [1, 1, 1]
    assert lines[0].seconds[0] == "<0.01"
    assert lines[0].reason.startswith("connection refused")
