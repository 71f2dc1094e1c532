"""Requests to a real server: all are there, stamps are in order, tokens are counted as the server does."""

import itertools
import json
import subprocess
from pathlib import Path

import pytest

from tests.real.real_run import ANSWER_TOKENS, CASES, CLOSED, LANGUAGES, MIN_TOKENS, OPEN, Measured

pytestmark = [pytest.mark.real, pytest.mark.prefect]


def test_every_intended_request_is_a_row_and_the_open_load_is_sent_on_time(measured: Measured) -> None:
    counted = measured.rows(
        """select c.workload, r.phase, count(*), count(*) filter (r.outcome = 'ok')
        from requests as r join cells as c using (run_id, cell_id, attempt)
        group by c.cell_index, c.workload, r.phase order by c.cell_index, r.phase"""
    )
    of_one_model = [
        ("closed", "load_test", CLOSED, CLOSED),
        ("closed", "warm_up", 2, 2),
        ("open", "load_test", OPEN, OPEN),
        ("open", "warm_up", 1, 1),
    ]
    assert counted == of_one_model * 2
    steps = measured.rows(
        """select distinct step_ns from (
            select r.intended_ns - lag(r.intended_ns) over (partition by r.cell_id order by r.intended_ns) as step_ns
            from requests as r join cells as c using (run_id, cell_id, attempt)
            where c.workload = 'open' and r.phase = 'load_test'
        ) where step_ns is not null"""
    )
    assert steps == [(250_000_000,)]


def test_stamps_are_ordered_and_no_first_token_is_later_than_its_reply(measured: Measured) -> None:
    order = (
        "intended_ns",
        "sent_ns",
        "headers_ns",
        "first_byte_ns",
        "first_token_ns",
        "last_token_ns",
        "closed_ns",
    )
    ordered = " and ".join(f"{a} <= {b}" for a, b in itertools.pairwise(order))
    assert measured.value(f"select count(*) from requests where not coalesce({ordered}, false)") == 0
    assert (
        measured.value("select count(*) from request_metrics where not coalesce(ttft_ms <= e2e_ms, false)")
        == 0
    )
    assert measured.value("select count(*) from request_metrics where not coalesce(ttft_ms > 0, false)") == 0
    # Each chunk has its own stamp, in the order of arrival, the first and the last being those of the row.
    assert (
        measured.value(
            """select count(*) from requests where not coalesce(
                len(chunk_offsets_ns) = content_chunks
                and chunk_offsets_ns = list_sort(chunk_offsets_ns)
                and sent_ns + chunk_offsets_ns[1] = first_token_ns
                and sent_ns + chunk_offsets_ns[-1] = last_token_ns, false)"""
        )
        == 0
    )
    # One clock: a request lies inside its own stage.
    assert (
        measured.value(
            """select count(*) from requests as r join stages as s
                on r.run_id = s.run_id and r.cell_id = s.cell_id and r.attempt = s.attempt and r.phase = s.stage
            where not coalesce(s.started_ns <= r.intended_ns and r.closed_ns <= s.ended_ns, false)"""
        )
        == 0
    )


def test_token_counts_are_those_of_usage(measured: Measured) -> None:
    wrong = f"""select count(*) from requests where not coalesce(
        tokens_out_source = 'usage' and tokens_out = tokens_out_usage and tokens_in > 0
        and content_chunks between 1 and tokens_out and tokens_out between {MIN_TOKENS} and max_tokens
        and finish_reason in ('length', 'stop') and (finish_reason = 'length') = (tokens_out = max_tokens), false)"""
    assert measured.value(wrong) == 0
    wrong = f"""select count(*) from answers where not coalesce(
        outcome = 'ok' and tokens_out_source = 'usage' and tokens_out between {MIN_TOKENS} and {ANSWER_TOKENS}, false)"""
    assert measured.value(wrong) == 0


def test_prompts_were_counted_as_the_models_own_tokenizer_counts_them(measured: Measured) -> None:
    for model in ("tiny-a", "tiny-b"):
        asked = measured.rows(
            f"""select distinct a.prompt, a.tokens_in from answers as a join cells as c using (run_id, cell_id, attempt)
            where c.model = '{model}'"""
        )
        assert len(asked) == CASES * LANGUAGES
        told = subprocess.run(
            [measured.python, Path(__file__).with_name("count_tokens.py"), measured.models[model]],
            input=json.dumps([prompt for prompt, _ in asked]),
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            timeout=120,
        )
        assert [tokens for _, tokens in asked] == json.loads(told.stdout)


def test_each_model_was_asked_itself(measured: Measured) -> None:
    echoes = measured.rows(
        """select distinct c.model, r.model_echo
        from requests as r join cells as c using (run_id, cell_id, attempt) order by all"""
    )
    assert echoes == [(m, f"{measured.models[m]}@main") for m in ("tiny-a", "tiny-b")]
    texts = measured.rows(
        """select c.model, list(a.text order by a.answer_id) from answers as a
        join cells as c using (run_id, cell_id, attempt) where c.workload = 'open' group by c.model"""
    )
    assert texts[0][1] != texts[1][1], "other weights, other text"
