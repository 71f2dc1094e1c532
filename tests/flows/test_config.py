"""A mistake in a configuration file is one line that points at it; nothing else is tolerated."""

import shutil
from pathlib import Path

import pytest

from flows.config import ROOT, load_catalog, load_experiment, open_target
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
        ("metric: quality", "metric: qualty", "goals.0.metric: Input should be 'quality'"),
        ("repeats: 3", "repeats: three", "repeats: Input should be a valid integer"),
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
