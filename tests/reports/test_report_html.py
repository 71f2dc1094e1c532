import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.data import ReportData, ReportError
from reports.html import render_report

VOID = {"meta", "br", "link", "img", "input", "hr"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}{% raw %}\x1b[2J\u202e"


class Page(HTMLParser):
    """What a browser would find: elements, ids, links, all text, and whether tags are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value or "" for key, value in self.attributes if key == name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_every_example_renders_as_a_well_formed_page(any_case, lang):
    page = Page(render_report(any_case, lang=lang))
    assert page.tags["h1"] == 1
    assert page.tags["section"] == 14
    assert page.values("lang") == [lang]


def test_page_needs_nothing_from_elsewhere(any_case):
    html = render_report(any_case, lang="en")
    page = Page(html)
    assert not set(page.tags) & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert "default-src 'none'" in " ".join(page.values("content"))
    assert all(link.startswith("#") for link in page.values("href"))
    assert not page.values("src")
    assert "url(" not in html
    assert "@import" not in html


def test_every_link_leads_to_something(any_case):
    page = Page(render_report(any_case, lang="en"))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.values("href")} <= set(ids)


def test_simulated_run_says_so_in_title_band_and_at_each_figure(quick_start):
    html = render_report(quick_start, lang="en")
    page = Page(html)
    assert "<title>[SIMULATED]" in html
    assert "They say nothing about any real model or server." in page.text
    assert html.count('class="badge"') == page.tags["figure"] > 5


def test_real_run_is_not_called_simulated(many_cells):
    assert "SIMULATED" not in render_report(many_cells, lang="en")


def test_real_and_simulated_cells_stand_apart(quick_start):
    first, *others = quick_start.leaderboard
    mixed = replace(quick_start, leaderboard=[{**first, "simulated": False}, *others])
    page = Page(render_report(mixed, lang="en"))
    assert "shown apart and never compared" in page.text
    assert page.text.count("Workload low · Real servers") == page.text.count("Workload low · Simulated")


def test_hostile_text_everywhere_is_shown_and_never_interpreted(quick_start):
    page = Page(render_report(_poisoned(quick_start), lang="en"))
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not any(key.startswith("on") for key, _ in page.attributes)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text
    assert "<U+202E>" in page.text


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(max_size=40))
def test_any_text_gives_a_page_that_can_be_written(all_failed, words):
    rows = [{**row, "model": words, "target": words, "settings": words} for row in all_failed.leaderboard]
    failures = [{**row, "reason": words} for row in all_failed.failures]
    html = render_report(replace(all_failed, leaderboard=rows, failures=failures), lang="en")
    html.encode("utf-8")
    Page(html)


def test_null_is_a_dash_that_leads_to_its_reason(quick_start):
    html = render_report(quick_start, lang="en")
    number = re.search(r'href="#lat-(\d+)" title="insufficient samples \(n=80; p99 needs 368\)"', html)
    assert number
    assert f'<li id="lat-{number[1]}">insufficient samples (n=80; p99 needs 368)</li>' in html
    assert "no price is configured for this target" in html


def test_a_run_of_which_nothing_is_known_shows_no_number_and_claims_nothing(all_null):
    page = Page(render_report(all_null, lang="en"))
    assert "No verdict on quality: not measured" in page.text
    assert "The environment of this run was not recorded." in page.text
    assert page.tags["circle"] == 0
    for claim in (
        "Every check passed",
        "no request was sent",
        "no price is configured",
        "0.00",
        "nan",
        "None",
    ):
        assert claim not in page.text


def test_a_run_that_failed_altogether_says_why(all_failed):
    page = Page(render_report(all_failed, lang="en"))
    assert "Nothing can be recommended: none of 3 cells completed." in page.text
    assert "the cell failed: load_model: connection refused" in page.text


def test_failed_checks_are_grouped_with_their_evidence(quick_start):
    page = Page(render_report(quick_start, lang="en"))
    assert "ko 1, 2, 3 · en 1, 2, 3" in page.text
    assert "fibonacci(0): expected 0, got 1" in page.text


def test_sql_is_shown_as_given(quick_start):
    statement = "select 1 < 2 as x -- & more"
    html = render_report(replace(quick_start, sql=[(statement, statement)]), lang="en")
    assert html.count("select 1 &lt; 2 as x -- &amp; more") == 1


def test_missing_columns_are_named_in_one_line(quick_start):
    rows = [{k: v for k, v in row.items() if k != "ttft_p95_ms"} for row in quick_start.leaderboard]
    with pytest.raises(ReportError, match=r"rows of leaderboard lack the column\(s\) ttft_p95_ms"):
        render_report(replace(quick_start, leaderboard=rows), lang="en")


def test_unknown_language_is_refused(quick_start):
    with pytest.raises(ValueError, match="expected one of en, ko"):
        render_report(quick_start, lang="fr")


def test_a_run_without_rows_still_has_a_page(all_null):
    empty = replace(all_null, leaderboard=[], model_card=[])
    assert "none of 2 cells completed" in Page(render_report(empty, lang="en")).text


def test_rendering_twice_gives_the_same_page(many_cells):
    assert render_report(many_cells, lang="ko") == render_report(many_cells, lang="ko")


def _poisoned(data: ReportData) -> ReportData:
    """The example with hostile text wherever a model, a server or a user could have written it."""
    texts = {
        "experiment_name",
        "owner",
        "purpose",
        "gpu_reason",
        "model",
        "target",
        "reason",
        "evidence",
        "note",
    }
    texts |= {
        "case_id",
        "check_id",
        "status",
        "stage",
        "workload",
        "percentile_note",
        "quality_reason",
        "hostname",
    }

    def poison(row):
        return {key: f"{HOSTILE}{value}" if key in texts else value for key, value in row.items()}

    return replace(
        data,
        run=poison(data.run),
        environment=poison(data.environment),
        **{
            part: [poison(row) for row in getattr(data, part)]
            for part in ("leaderboard", "model_card", "stages", "vram_timeline", "failures", "failed_checks")
        },
    )
