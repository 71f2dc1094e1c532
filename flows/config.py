"""The one reader of configuration files and of the environment; knows nothing of Prefect."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from bench.backends import BACKENDS, SETTINGS
from bench.backends.base import Target
from bench.prompts import Prompt
from evaluators.suites import Suite, SuiteError, load_suite
from flows.schema import (
    Experiment,
    ModelConfig,
    ModelsFile,
    PriceConfig,
    PricesFile,
    PromptsFile,
    TargetConfig,
    TargetsFile,
    WorkloadConfig,
    WorkloadsFile,
)
from flows.yaml_lines import ConfigError, Document, Key, read_yaml
from tracing.records import LangfuseSettings

ROOT = Path(__file__).resolve().parent.parent
"""The repository: where `configs/` and `suites/` lie unless BAKEOFF_CONFIG says otherwise."""

M = TypeVar("M", bound=BaseModel)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Catalog:
    """Everything an experiment may name, as configured; `${ENV}` in targets is still unexpanded."""

    folder: Path
    targets: Mapping[str, TargetConfig]
    models: Mapping[str, ModelConfig]
    workloads: Mapping[str, WorkloadConfig]
    prompt_sets: Mapping[str, tuple[Prompt, ...]]
    prices: Mapping[str, PriceConfig]
    suites: Mapping[str, Suite]


def data_dir() -> Path:
    """Folder of the warehouse, landings, reports and logs: `BAKEOFF_DATA`, else `./data`; absolute."""
    return Path(os.environ.get("BAKEOFF_DATA") or "data").absolute()


def config_dir() -> Path:
    """Folder of the configuration files: `BAKEOFF_CONFIG`, else `configs/` of the repository."""
    given = os.environ.get("BAKEOFF_CONFIG")
    return Path(given).absolute() if given else ROOT / "configs"


def langfuse_settings() -> LangfuseSettings:
    """Langfuse's keys and address, from the variables its own SDK reads; absent ones mean no export."""
    return LangfuseSettings(
        public_key=os.environ.get("LANGFUSE_PUBLIC_KEY") or None,
        secret_key=os.environ.get("LANGFUSE_SECRET_KEY") or None,
        host=os.environ.get("LANGFUSE_BASE_URL") or os.environ.get("LANGFUSE_HOST") or None,
    )


def load_catalog(folder: Path) -> Catalog:
    """Read targets, models, workloads, prompts, prices and the suites beside `folder`.

    Raises:
        ConfigError: the first mistake found, in one line with file, line and key.
    """
    targets_doc = read_yaml(folder / "targets.yaml")
    targets = validate(targets_doc, TargetsFile).targets
    for name, target in targets.items():
        if target.kind not in BACKENDS:
            raise targets_doc.error(("targets", name, "kind"), unknown(target.kind, BACKENDS, "server kind"))
    models_doc = read_yaml(folder / "models.yaml")
    models = validate(models_doc, ModelsFile).models
    for name, model in models.items():
        _known(models_doc, ("models", name, "targets"), model.targets or [], targets, "target")
    workloads_doc = read_yaml(folder / "workloads.yaml")
    workloads = validate(workloads_doc, WorkloadsFile)
    for name, load in workloads.workloads.items():
        if load.prompts not in workloads.prompt_sets:
            where: Key = ("workloads", name, "prompts")
            raise workloads_doc.error(where, unknown(load.prompts, workloads.prompt_sets, "prompt set"))
    prompt_sets = {name: _prompts(folder / file) for name, file in workloads.prompt_sets.items()}
    _prompts_for_all(workloads_doc, workloads, prompt_sets)
    prices_doc = read_yaml(folder / "prices.yaml")
    prices = validate(prices_doc, PricesFile).prices
    for name in prices:
        if name not in targets:
            raise prices_doc.error(("prices", name), unknown(name, targets, "target"))
    return Catalog(
        folder=folder,
        targets=targets,
        models=models,
        workloads=workloads.workloads,
        prompt_sets=prompt_sets,
        prices=prices,
        suites=_suites(folder.parent / "suites", ROOT / "suites"),
    )


def experiment_path(name: str, folder: Path) -> Path:
    """The file an experiment's name stands for: a path as it is, else `experiments/NAME.yaml`.

    Raises:
        ConfigError: there is no such file; the nearest existing name is suggested.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        return path
    known = {file.stem: file for file in sorted((folder / "experiments").glob("*.yaml"))}
    if name not in known:
        raise ConfigError(f"experiment: {unknown(name, known, 'experiment')}")
    return known[name]


def load_experiment(path: Path, catalog: Catalog) -> Experiment:
    """Read one experiment file and check every name in it against the catalog.

    Raises:
        ConfigError: the first mistake found, in one line with file, line and key.
    """
    document = read_yaml(path)
    experiment = validate(document, Experiment)
    check_names(experiment, catalog, document)
    return experiment


def check_names(experiment: Experiment, catalog: Catalog, document: Document) -> None:
    """Refuse a name that the catalog does not know, one that stands twice, and settings no target can apply.

    Raises:
        ConfigError: pointing at the line in `document`, with the nearest known name.
    """
    _no_duplicates(experiment, document)
    _known(document, ("matrix", "targets"), experiment.matrix.targets, catalog.targets, "target")
    _known(document, ("matrix", "models"), experiment.matrix.models, catalog.models, "model")
    _known(document, ("workloads",), experiment.workloads, catalog.workloads, "workload")
    for i, choice in enumerate(experiment.suites):
        where: Key = ("suites", i, "name")
        if choice.name not in catalog.suites:
            raise document.error(where, unknown(choice.name, catalog.suites, "suite"))
        tags = {tag for case in catalog.suites[choice.name].cases for tag in case.tags}
        for tag in choice.tags:
            if tag not in tags:
                raise document.error(("suites", i, "tags"), unknown(tag, tags, "tag"))
    _settings_apply(experiment, catalog, document)


def _no_duplicates(experiment: Experiment, document: Document) -> None:
    """One that stands twice would be two cells with one id, each overwriting the other."""
    matrix = experiment.matrix
    lists: dict[Key, list[Any]] = {
        ("matrix", "targets"): matrix.targets,
        ("matrix", "models"): matrix.models,
        ("workloads",): experiment.workloads,
        ("suites",): [choice.name for choice in experiment.suites],
        **{("matrix", "settings", name): values for name, values in matrix.settings.items()},
    }
    for loc, values in lists.items():
        # 1 and 1.0 are one setting, 1 and true are not, although Python holds them for equal.
        seen = [(isinstance(value, bool), value) for value in values]
        for i, one in enumerate(seen):
            if one in seen[:i]:
                raise document.error((*loc, i), f"{values[i]!r} stands twice")


def _settings_apply(experiment: Experiment, catalog: Catalog, document: Document) -> None:
    """Every setting must be one that each target with a cell can apply: another would be measured in vain."""
    matrix = experiment.matrix
    able = [catalog.models[model].targets for model in matrix.models]
    for target in matrix.targets:
        kind = catalog.targets[target].kind
        if not any(targets is None or target in targets for targets in able):
            continue
        for name in matrix.settings:
            where: Key = ("matrix", "settings", name)
            if not SETTINGS[kind]:
                message = (
                    f"target {target!r} is of kind {kind!r}, which takes no settings; set them at its server"
                )
                raise document.error(where, message)
            if name not in SETTINGS[kind]:
                raise document.error(where, unknown(name, SETTINGS[kind], f"setting of kind {kind!r}"))


def open_target(name: str, config: TargetConfig, environ: Mapping[str, str]) -> Target:
    """The target a backend needs, with `${ENV}` filled in from `environ`.

    Raises:
        ConfigError: a variable is not set, or is empty where that cannot be meant (anywhere but in options).
    """

    def fill(value: Any, key: str) -> Any:
        if isinstance(value, str):
            return _VARIABLE.sub(lambda match: _variable(match[1], name, key, environ), value)
        if isinstance(value, dict):
            return {k: fill(v, f"{key}.{k}") for k, v in value.items()}
        if isinstance(value, list):
            return [fill(v, key) for v in value]
        return value

    return Target(
        name=name,
        kind=config.kind,
        life=config.life,
        base_url=fill(config.base_url, "base_url"),
        api_key=fill(config.api_key, "api_key"),
        headers=fill(config.headers, "headers"),
        options=fill(config.options, "options"),
        timeout_s=config.timeout_s,
        connect_timeout_s=config.connect_timeout_s,
    )


def _variable(variable: str, target: str, key: str, environ: Mapping[str, str]) -> str:
    if variable not in environ:
        raise ConfigError(
            f"target {target}: {key}: environment variable {variable} is not set; set it and run again"
        )
    # An option may well be emptied by it; an empty key would be sent as no key at all.
    if not environ[variable].strip() and not key.startswith("options"):
        raise ConfigError(f"target {target}: {key}: environment variable {variable} is set but empty")
    return environ[variable]


def validate(document: Document, model: type[M]) -> M:
    """Check a parsed file against its shape.

    Raises:
        ConfigError: the first mistake in file order, with the nearest known key for an unknown one.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        found = [(document.line(_loc(e["loc"])), _loc(e["loc"]), e) for e in error.errors()]
        _, loc, first = min(found, key=lambda item: item[0])
        raise document.error(loc, _explain(first, loc, model)) from None


def unknown(value: str, known: Iterable[str], what: str) -> str:
    """Say that `value` is unknown and which known one is nearest, or list the known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(value, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or 'none'}"
    return f"unknown {what} {value!r}; {hint}"


def _loc(loc: tuple[int | str, ...]) -> Key:
    """Pydantic's location without the parts that name a validator instead of a key."""
    return tuple(part for part in loc if part != "[key]")


def _explain(error: Any, loc: Key, model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        return unknown(str(loc[-1]), _fields_at(loc[:-1], model), "key")
    if error["type"] == "missing":
        return "this key is missing"
    given = error.get("input")
    if error["type"] == "literal_error" and not isinstance(given, (dict, list)):
        return unknown(str(given), re.findall(r"'([^']*)'", error["ctx"]["expected"]), "value")
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "value_error" or isinstance(given, (dict, list)):
        return message
    return f"{message}, got {given!r}"


def _fields_at(loc: Key, model: type[BaseModel]) -> list[str]:
    """The keys allowed at `loc` below `model`."""
    here: Any = model
    for part in loc:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = here.model_fields[str(part)].annotation
        else:
            here = (get_args(here) or (None,))[-1]
        while get_args(here) and not _is_container(here):
            here = next(a for a in get_args(here) if a is not type(None))
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _is_container(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (dict, list)


def _known(document: Document, loc: Key, names: Iterable[str], known: Mapping[str, Any], what: str) -> None:
    for i, name in enumerate(names):
        if name not in known:
            raise document.error((*loc, i), unknown(name, known, what))


def _prompts_for_all(
    document: Document, file: WorkloadsFile, prompt_sets: Mapping[str, tuple[Prompt, ...]]
) -> None:
    """Refuse a workload that would find no prompt in any of its languages."""
    for name, load in file.workloads.items():
        written = {prompt.language for prompt in prompt_sets[load.prompts]}
        if written.isdisjoint(load.languages):
            where: Key = ("workloads", name, "languages")
            languages = ", ".join(load.languages)
            raise document.error(where, f"prompt set {load.prompts!r} has no prompt in {languages}")


def _prompts(path: Path) -> tuple[Prompt, ...]:
    document = read_yaml(path)
    prompts = validate(document, PromptsFile).prompts
    return tuple(Prompt(prompt_id=p.id, language=p.language, text=p.text) for p in prompts)


def _suites(*roots: Path) -> dict[str, Suite]:
    """Every suite below the first of `roots` that exists."""
    root = next((r for r in roots if r.is_dir()), None)
    folders = sorted(f.parent for f in root.glob("*/suite.yaml")) if root else []
    try:
        return {folder.name: load_suite(folder) for folder in folders}
    except SuiteError as error:
        raise ConfigError(str(error)) from None
