"""Prometheus text as real servers write it, and as nobody should."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.telemetry.server_metrics import MAX_SAMPLES, parse_prometheus

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="tiny"} 8.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 16.0
vllm:kv_cache_usage_perc{engine="0",model_name="tiny"} 2.5e-03
vllm:prompt_tokens_total{engine="0",model_name="tiny"} 1.234e+06
vllm:prompt_tokens_created{engine="0",model_name="tiny"} 1.7e+09
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.001",model_name="tiny"} 0.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="tiny"} 24.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="tiny"} 24.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="tiny"} 3.5

process_open_fds 41 1700000000000
python_info{implementation="CPython",version="3.12"} 1.0
"""


def values(text):
    return {sample.metric: sample.value for sample in parse_prometheus(text, "s", 1)}


def test_a_real_servers_text():
    samples = parse_prometheus(VLLM, "load_test", 42)
    assert {(sample.t_ns, sample.stage) for sample in samples} == {(42, "load_test")}
    assert values(VLLM) == {
        "vllm:num_requests_running": 8.0,
        "vllm:num_requests_waiting_by_reason": 16.0,
        "vllm:kv_cache_usage_perc": 0.0025,
        "vllm:prompt_tokens_total": 1_234_000.0,
        "vllm:time_to_first_token_seconds_count": 24.0,
        "vllm:time_to_first_token_seconds_sum": 3.5,
        "process_open_fds": 41.0,
        "python_info": 1.0,
    }
    assert json.loads(samples[1].labels) == {"engine": "0", "model_name": "tiny", "reason": "capacity"}
    assert samples[-2].labels is None


@pytest.mark.parametrize("word", ["NaN", "nan", "+Inf", "-Inf", "Inf"])
def test_what_is_no_number_is_unknown(word):
    assert values(f"a 1\nb {word}\nc 0\n") == {"a": 1.0, "b": None, "c": 0.0}


@pytest.mark.parametrize(
    "line",
    [
        "<html><body>502 Bad Gateway</body></html>",
        '{"detail": "Not Found"}',
        "",
        "metric",
        "metric{ 3",
        'metric{a="1" 3',
        "metric{a=1} 3",
        "metric three",
        "1metric 3",
    ],
)
def test_lines_that_are_no_metric_are_left_out(line):
    assert values(f"before 1\n{line}\nafter 2") == {"before": 1.0, "after": 2.0}


def test_a_bucket_is_left_out_only_if_it_is_one_of_a_histogram():
    assert values('leaky_bucket 3\nx_bucket{le="1"} 3\nx_bucket{size="1"} 4') == {
        "leaky_bucket": 3.0,
        "x_bucket": 4.0,
    }


def test_braces_commas_and_exemplars_are_no_trap():
    (sample,) = parse_prometheus('m{a="x,} 5",b="=\\"{",} 7 # {id="1"} 9', "s", 1)
    assert sample.value == 7.0
    assert json.loads(sample.labels) == {"a": "x,} 5", "b": '="{'}


names = st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True)
label_values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).map(lambda s: s + '\n\\"')
numbers = st.floats(allow_nan=False, allow_infinity=False)


def escaped(value):
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@given(
    names,
    st.dictionaries(names, label_values.filter(lambda v: len((v).splitlines()) <= 2), max_size=4),
    numbers,
)
def test_what_is_written_is_read_back(name, labels, value):
    if name.endswith(("_created", "_bucket")):
        name = f"x_{name}_x"
    inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    (sample,) = parse_prometheus(f"{name}{{{inside}}} {value!r}\n", "s", 1)
    assert sample.metric == name
    assert sample.value == value
    assert (json.loads(sample.labels) if sample.labels else {}) == labels


@given(st.text(max_size=400))
def test_no_text_breaks_the_reader(text):
    for sample in parse_prometheus(text, "s", 1):
        assert sample.value is None or math.isfinite(sample.value)


def test_a_flood_is_cut_off():
    assert len(parse_prometheus("m 1\n" * (MAX_SAMPLES + 10), "s", 1)) == MAX_SAMPLES


@pytest.mark.parametrize(
    "line", ["m{%s!} 1" % ('a="" ' * 40), "m{%s" % (" " * 50_000), 'm{a="%s' % ("\\" * 50_000)]
)
def test_hostile_line_takes_no_time(line):
    began_s = time.process_time()
    assert values(line) == {}
    assert time.process_time() - began_s < 1
