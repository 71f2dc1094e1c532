"""A mistake in a configuration file is one line that points at it; nothing else is tolerated."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from bench.backends import BACKENDS, SETTINGS
from bench.simulator.model import Settings
from flows.config import ROOT, load_catalog, load_experiment, open_target
from flows.setup import checked_overrides, override
from flows.yaml_lines import ConfigError, read_yaml


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    return tmp_path / "configs"


def edit(path: Path, old: str, new: str) -> int:
    """Replace `old` once; returns the line it stood on."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    line = text[: text.index(old)].count("\n") + 1
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return line


def test_shipped_configuration_is_valid() -> None:
    catalog = load_catalog(ROOT / "configs")
    for path in sorted((ROOT / "configs" / "experiments").glob("*.yaml")):
        load_experiment(path, catalog)
    assert {"low", "medium", "high", "stress"} <= set(catalog.workloads)
    for name in ("short", "medium", "long"):
        assert {p.language for p in catalog.prompt_sets[name]} == {"en", "ko"}


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("targets.yaml", "life: managed", "lief: managed", "targets.simulator.lief: unknown key 'lief'; did you mean 'life'?"),
        ("targets.yaml", "kind: simulator", "kind: simulater", "targets.simulator.kind: unknown server kind 'simulater'; did you mean 'simulator'?"),
        ("targets.yaml", "    base_url: http://127.0.0.1:8000\n", "", "an attached target needs base_url"),
        ("models.yaml", "targets: [simulator]", "targets: [simulatr]", "models.sim-careful.targets.0: unknown target 'simulatr'; did you mean 'simulator'?"),
        ("workloads.yaml", "concurrency: 8", "concurrency: eight", "workloads.quick.concurrency: Input should be a valid integer"),
        ("workloads.yaml", "n_requests: 80", "n_requests: 0", "workloads.quick.n_requests: Input should be greater than 0, got 0"),
        ("workloads.yaml", "prompts: short\n", "prompts: shrot\n", "workloads.quick.prompts: unknown prompt set 'shrot'; did you mean 'short'?"),
        ("workloads.yaml", "n_requests: 80", "n_requests: yes", "workloads.quick.n_requests: Input should be a valid integer, got True"),
        ("workloads.yaml", "concurrency: 8", 'concurrency: "8"', "workloads.quick.concurrency: Input should be a valid integer, got '8'"),
        ("workloads.yaml", "concurrency: 8", "concurrency: 8.0", "workloads.quick.concurrency: Input should be a valid integer, got 8.0"),
        ("workloads.yaml", "rate_rps: 0.5", "rate_rps: .inf", "workloads.low.rate_rps: Input should be a finite number, got inf"),
        ("workloads.yaml", "rate_rps: 0.5", "rate_rps: .nan", "workloads.low.rate_rps: Input should be a finite number, got nan"),
        ("workloads.yaml", "rate_rps: 0.5", "rate_rps: yes", "workloads.low.rate_rps: Input should be a valid number, got True"),
        ("workloads.yaml", "duration_s: 120", "duration_s: .inf", "workloads.low.duration_s: Input should be a finite number, got inf"),
        ("workloads.yaml", "arrivals: poisson", "arrivals: poison", "workloads.medium.arrivals: unknown value 'poison'; did you mean 'poisson'?"),
        ("prices.yaml", "usd_per_hour: 1.00", 'usd_per_hour: "1"', "prices.simulator.usd_per_hour: Input should be a valid number, got '1'"),
        ("workloads.yaml", "rate_rps: 0.5", "concurrency: 5", "takes rate_rps and no concurrency"),
        ("workloads.yaml", "slo: {ttft_ms: 500", "slo: {ttf_ms: 500", "workloads.quick.slo.ttf_ms: unknown key 'ttf_ms'; did you mean 'ttft_ms'?"),
        ("prices.yaml", "  simulator:", "  simulatr:", "prices.simulatr: unknown target 'simulatr'"),
        ("prices.yaml", "usd_per_hour: 1.00", "usd_per_hour: -1", "prices.simulator.usd_per_hour: Input should be greater than 0, got -1"),
        ("models.yaml", "  sim-hasty:", "  sim-careful:", "models.sim-careful: this key stands twice"),
        ("targets.yaml", "targets:", "targets: [", "not valid YAML"),
    ],
)  # fmt: skip
def test_a_mistake_names_file_line_key_and_nearest_name(
    configs: Path, file: str, old: str, new: str, expected: str
) -> None:
    line = edit(configs / file, old, new)
    with pytest.raises(ConfigError) as caught:
        load_catalog(configs)
    message = str(caught.value)
    assert expected in message
    assert message.startswith(f"{configs / file}:")
    assert "\n" not in message
    at = int(message.removeprefix(f"{configs / file}:").split(":")[0])
    # A rule over several keys points at the key of the mapping that breaks it, above the edited line.
    above = {"an attached target needs base_url": 4, "takes rate_rps and no concurrency": 2}
    below = {"not valid YAML": 3}
    assert at == line - above.get(expected, 0) + below.get(expected, 0)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("models: [sim-careful,", "models: [sim-carefull,", "matrix.models.0: unknown model 'sim-carefull'; did you mean 'sim-careful'?"),
        ("workloads: [quick]", "workloads: [quik]", "workloads.0: unknown workload 'quik'; did you mean 'quick'?"),
        ("name: coding-core", "name: coding-cor", "suites.0.name: unknown suite 'coding-cor'; did you mean 'coding-core'?"),
        ("tags: [quick]}", "tags: [quik]}", "suites.0.tags: unknown tag 'quik'; did you mean 'quick'?"),
        ("metric: quality", "metric: qualty", "goals.0.metric: unknown value 'qualty'; did you mean 'quality'?"),
        ("repeats: 3", "repeats: three", "repeats: Input should be a valid integer"),
        ("repeats: 3", 'repeats: "3"', "repeats: Input should be a valid integer, got '3'"),
        ("repeats: 3", "repeats: yes", "repeats: Input should be a valid integer, got True"),
        ('comparison: ">="', 'comparison: "=>"', "goals.0.comparison: unknown value '=>'; did you mean"),
        ("value: 0.6", "value: .nan", "goals.0.value: Input should be a finite number, got nan"),
        ("seed: 42}", "seed: 2147483648}", "sampling.seed: a seed lies between -2100000000 and 2100000000"),
        ("seed: 42\n", "seed: -9223372036854775809\n", "seed: a seed lies between"),
        ("seed: 42\n", "seed: 0x" + "f" * 5000 + "\n", "a number beyond 64 bits"),
        ("targets: [simulator]", "targets: [simulator, simulator]", "matrix.targets.1: 'simulator' stands twice"),
        ("models: [sim-careful,", "models: [sim-hasty,", "matrix.models.2: 'sim-hasty' stands twice"),
        ("workloads: [quick]", "workloads: [quick, quick]", "workloads.1: 'quick' stands twice"),
        ("tags: [quick]}", "tags: [quick]}\n  - {name: coding-core}", "suites.1: 'coding-core' stands twice"),
        ("targets: [simulator]", "targets: [simulator]\n  settings: {max_sequences: [4, 4.0]}", "matrix.settings.max_sequences.1: 4.0 stands twice"),
        ("targets: [simulator]", "targets: [simulator]\n  settings: {context_tokns: [4096]}", "matrix.settings.context_tokns: unknown setting of kind 'simulator' 'context_tokns'; did you mean 'context_tokens'?"),
        ("repeats: 3", "repets: 3", "repets: unknown key 'repets'; did you mean 'repeats'?"),
        ("name: quick-start", "name: ../../etc", "name: String should match pattern"),
        ("seed: 42\n", "seed: 42\nid: EXP-1\n", "id: String should match pattern"),
        ("repeats: 3", "repeats: 3\nweights: {correctness: 0.9}", "weights: the four weights sum to 1.5, expected 1"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_experiment_is_one_line(configs: Path, old: str, new: str, expected: str) -> None:
    path = configs / "experiments" / "quick-start.yaml"
    edit(path, old, new)
    with pytest.raises(ConfigError) as caught:
        load_experiment(path, load_catalog(configs))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_secrets_come_from_the_environment_only_when_the_target_is_used(configs: Path) -> None:
    edit(configs / "targets.yaml", "# api_key: ${MY_SERVER_API_KEY}", "api_key: ${MY_SERVER_API_KEY}")
    config = load_catalog(configs).targets["my-server"]
    with pytest.raises(
        ConfigError, match="target my-server: api_key: environment variable MY_SERVER_API_KEY is not set"
    ):
        open_target("my-server", config, {})
    target = open_target("my-server", config, {"MY_SERVER_API_KEY": "sk-canary"})
    assert target.api_key == "sk-canary"
    assert "sk-canary" not in repr(target)
    assert "sk-canary" not in repr(config)


def test_lines_of_nested_keys_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a:\n  b:\n    - c: 1\n    - c: 2\n", encoding="utf-8")
    document = read_yaml(path)
    assert document.line(("a", "b", 1, "c")) == 4
    assert document.line(("a", "b", 1, "absent")) == 4


def test_missing_file_and_binary_file_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "bin.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / "bin.yaml")


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("a: &a [*a]", 1, "an alias to what it stands in"),
        ("a: 1\nb: &b {<<: *b}", 2, "an alias to what it stands in"),
        ("a: 1\nb: " + "[" * 3000, 2, "nested too deeply"),
        ("a: 1\nb: " + "{a: " * 3000, 2, "nested too deeply"),
        ("a: 0x_", 1, "not a valid int"),
        ("a: !!timestamp 2026-13-45", 1, "not a valid timestamp"),
        ("a: !!timestamp soon", 1, "not a valid timestamp"),
        ("a: !!bool perhaps", 1, "not a valid bool"),
        ("a: 1\n? [b]\n: 2", 2, "a key must be a plain word"),
    ],
)
def test_yaml_that_is_no_plain_data_is_one_line(tmp_path: Path, text: str, line: int, expected: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert str(caught.value) == f"{path}:{line}: not valid YAML: {expected}"


@pytest.mark.parametrize("shape", ["[{}]", "{{k: [{}]}}"])
def test_aliases_that_stand_for_billions_are_refused_at_once(tmp_path: Path, shape: str) -> None:
    lines = ["l0: &l0 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"]
    lines += [f"l{i}: &l{i} {shape.format(', '.join([f'*l{i - 1}'] * 10))}" for i in range(1, 20)]
    path = tmp_path / "a.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match="too large with its aliases written out"):
        read_yaml(path)


def test_an_alias_and_a_merge_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: *a\n", encoding="utf-8")
    assert read_yaml(path).data == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": {"x": 1}}


@pytest.mark.parametrize("day", ["2026-11-21", "2026-13-45"])
def test_a_date_may_stand_where_text_is_wanted(configs: Path, day: str) -> None:
    path = configs / "experiments" / "quick-start.yaml"
    edit(path, "purpose: See", f"purpose: {day}\nhypothesis: See")
    edit(path, "hypothesis: The", "expected_result: The")
    edit(path, "expected_result: sim", "owner: sim")
    edit(path, "owner: you\n", "")
    assert load_experiment(path, load_catalog(configs)).purpose == day


@pytest.mark.parametrize("day", ["2026-13-45", "20261121", "soon", "1.5"])
def test_a_price_of_no_day_is_one_line(configs: Path, day: str) -> None:
    path = configs / "prices.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if "as_of:" in line)
    lines[at] = f"    as_of: {day}"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_catalog(configs)
    assert str(caught.value).startswith(f"{path}:{at + 1}: prices.simulator.as_of: ")
    assert "\n" not in str(caught.value)


def test_a_workload_without_a_prompt_in_its_languages_is_refused(configs: Path) -> None:
    path = configs / "prompts" / "short.yaml"
    path.write_text("prompts:\n  - {id: one, language: en, text: Hello}\n", encoding="utf-8")
    line = edit(configs / "workloads.yaml", "prompts: short\n", "prompts: short\n    languages: [ko]\n") + 1
    with pytest.raises(ConfigError) as caught:
        load_catalog(configs)
    expected = "workloads.quick.languages: prompt set 'short' has no prompt in ko"
    assert str(caught.value) == f"{configs / 'workloads.yaml'}:{line}: {expected}"


@pytest.mark.parametrize(("target", "kind"), [("my-server", "openai"), ("transformers", "transformers")])
def test_settings_that_a_target_cannot_apply_are_refused(configs: Path, target: str, kind: str) -> None:
    path = configs / "experiments" / "my-server.yaml"
    edit(configs / "models.yaml", "targets: [my-server]", f"targets: [{target}]")
    line = edit(path, "targets: [my-server]", f"targets: [{target}]\n  settings: {{dtype: [bfloat16]}}") + 1
    with pytest.raises(ConfigError) as caught:
        load_experiment(path, load_catalog(configs))
    message = f"target {target!r} is of kind {kind!r}, which takes no settings"
    assert str(caught.value).startswith(f"{path}:{line}: matrix.settings.dtype: {message}")


def test_settings_need_only_fit_targets_that_get_a_cell(configs: Path) -> None:
    path = configs / "experiments" / "quick-start.yaml"
    edit(path, "targets: [simulator]", "targets: [simulator, my-server]\n  settings: {dtype: [bfloat16]}")
    load_experiment(path, load_catalog(configs))


def test_every_kind_names_the_settings_it_applies() -> None:
    assert SETTINGS.keys() == BACKENDS.keys()
    assert set(SETTINGS["simulator"]) == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize("field", ["targets", "models", "workloads"])
def test_an_override_that_names_one_thing_twice_is_one_line(configs: Path, field: str) -> None:
    catalog = load_catalog(configs)
    experiment = load_experiment(configs / "experiments" / "quick-start.yaml", catalog)
    name = {"targets": "simulator", "models": "sim-hasty", "workloads": "low"}[field]
    with pytest.raises(ConfigError, match=f"{field}.1: '{name}' stands twice$"):
        override(experiment, checked_overrides(**{field: [name, name]}), catalog)


@pytest.mark.parametrize("value", ["3", True, 3.0])
def test_an_override_takes_whole_numbers_only(value: object) -> None:
    with pytest.raises(ConfigError, match="repeats: Input should be a valid integer"):
        checked_overrides(repeats=value)


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_key_is_refused_but_an_option_may_be_empty(configs: Path, value: str) -> None:
    config = load_catalog(configs).targets["my-server"]
    keyed = config.model_copy(update={"api_key": "${MY_KEY}"})
    with pytest.raises(ConfigError, match=r"api_key: environment variable MY_KEY is set but empty$"):
        open_target("my-server", keyed, {"MY_KEY": value})
    optional = config.model_copy(update={"options": {"env": {"DEVICES": "${MY_KEY}"}}})
    assert open_target("my-server", optional, {"MY_KEY": value}).options == {"env": {"DEVICES": value}}
