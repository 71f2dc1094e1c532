"""The shape of the configuration: what each file may say, with defaults only where a default is right."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MAX_SEED = 2_100_000_000
"""Largest seed: some servers fail beyond 32 bits, and the number of a repeat or request is added to it."""


def _seed(value: int) -> int:
    if abs(value) > MAX_SEED:
        raise ValueError(
            f"a seed lies between -{MAX_SEED} and {MAX_SEED}: some servers fail beyond 32 bits, got {value}"
        )
    return value


def _written_date(value: object) -> object:
    if not isinstance(value, str | date):
        raise ValueError(f"expected a date such as 2026-01-31, got {value!r}")
    return value


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name that may become a part of a folder: letters, digits, dot, dash, underscore; at most 64."""

ExperimentId = Annotated[str, Field(pattern=r"^EXP-\d{8}-\d{2,}$")]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Setting = str | int | float | bool
Language = Literal["en", "ko"]
Seed = Annotated[int, AfterValidator(_seed)]
Day = Annotated[date, Field(strict=False), BeforeValidator(_written_date)]
"""A date, written as text: YAML's own dates are read as text, so that they may stand in any string."""

GoalMetric = Literal[
    "quality",
    "correctness",
    "consistency",
    "code_quality",
    "clarity",
    "ttft_p50_ms",
    "ttft_p95_ms",
    "ttft_p99_ms",
    "tpot_p50_ms",
    "tpot_p95_ms",
    "e2e_p50_ms",
    "e2e_p95_ms",
    "output_tokens_per_s",
    "goodput_ratio",
    "error_rate",
    "load_ms",
    "vram_peak_mib",
    "usd_per_million_output_tokens",
]
"""What a goal may speak of: columns of the `leaderboard` view."""


class Strict(BaseModel):
    """Frozen; an unknown key is refused, and so is `"3"` or `yes` for a number, infinity and NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TargetConfig(Strict):
    """A server: its kind, how to reach it, and whether we manage its life or only call it."""

    kind: Name
    life: Literal["managed", "attached"] = "attached"
    base_url: str | None = None
    api_key: str | None = Field(default=None, repr=False)
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    options: dict[str, Any] = Field(default_factory=dict)
    timeout_s: Positive = 120.0
    connect_timeout_s: Positive = 5.0

    @model_validator(mode="after")
    def _reachable(self) -> "TargetConfig":
        if self.life == "attached" and not self.base_url:
            raise ValueError("an attached target needs base_url, for example http://127.0.0.1:8000")
        return self


class ModelConfig(Strict):
    """A model: the name its server knows it by, and what is known of it."""

    served_name: str | None = None
    targets: list[Name] | None = Field(
        default=None, description="the targets that can serve it; all if absent"
    )
    family: str | None = None
    parameters_b: Positive | None = None
    quantisation: str | None = None
    context_tokens: Annotated[int, Field(gt=0)] | None = None
    licence: str | None = None
    note: str | None = None


class SloConfig(Strict):
    """Limits that one request must meet to count as good; milliseconds."""

    ttft_ms: Positive | None = None
    tpot_ms: Positive | None = None
    e2e_ms: Positive | None = None


class WorkloadConfig(Strict):
    """A load shape and its prompts."""

    arrivals: Literal["closed", "constant", "poisson"]
    concurrency: Annotated[int, Field(gt=0, le=4096)] | None = None
    rate_rps: Positive | None = None
    n_requests: Annotated[int, Field(gt=0)] | None = None
    duration_s: Positive | None = None
    prompts: Name
    languages: Annotated[list[Language], Field(min_length=1)] = ["en", "ko"]
    max_tokens: Annotated[int, Field(gt=0)] = 128
    warm_up_requests: Annotated[int, Field(ge=1)] = 3
    abort_error_rate: Share | None = 0.5
    slo: SloConfig = SloConfig()

    @model_validator(mode="after")
    def _shape(self) -> "WorkloadConfig":
        if self.arrivals == "closed" and (self.concurrency is None or self.rate_rps is not None):
            raise ValueError("arrivals: closed takes concurrency and no rate_rps")
        if self.arrivals != "closed" and (self.rate_rps is None or self.concurrency is not None):
            raise ValueError(f"arrivals: {self.arrivals} takes rate_rps and no concurrency")
        if self.n_requests is None and self.duration_s is None:
            raise ValueError("needs n_requests or duration_s, or it would never end")
        return self


class PromptConfig(Strict):
    """One prompt of a prompt set."""

    id: Name
    language: Language
    text: Annotated[str, Field(min_length=1)]


class PriceConfig(Strict):
    """What an hour of a target costs, where the figure comes from and of which day it is."""

    usd_per_hour: Positive
    source: str
    as_of: Day


class GoalConfig(Strict):
    """A value to meet: by at least one cell (`any`), or by every cell (`every`)."""

    metric: GoalMetric
    comparison: Literal["<", "<=", ">", ">=", "=="]
    value: float
    scope: Literal["any", "every"] = "any"


class MatrixConfig(Strict):
    """What is multiplied into cells; `settings` maps a setting to the values to try."""

    targets: Annotated[list[Name], Field(min_length=1)]
    models: Annotated[list[Name], Field(min_length=1)]
    settings: dict[Name, Annotated[list[Setting], Field(min_length=1)]] = Field(default_factory=dict)


class SuiteChoice(Strict):
    """A quality suite, or the part of it that carries one of `tags`."""

    name: Name
    tags: list[str] = Field(default_factory=list)


class SamplingConfig(Strict):
    """How answers are drawn, `concurrency` at a time; the seed of repeat r is `seed + r`."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    max_tokens: Annotated[int, Field(gt=0)] = 1024
    seed: Seed = 42
    concurrency: Annotated[int, Field(gt=0, le=256)] = 4


class WeightsConfig(Strict):
    """Shares of the four judgements in the quality total; they sum to 1."""

    correctness: Share = 0.4
    consistency: Share = 0.2
    code_quality: Share = 0.2
    clarity: Share = 0.2

    @model_validator(mode="after")
    def _whole(self) -> "WeightsConfig":
        total = self.correctness + self.consistency + self.code_quality + self.clarity
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the four weights sum to {total:g}, expected 1")
        return self


class Experiment(Strict):
    """What to find out and how: the whole of one experiment file."""

    id: ExperimentId | None = None
    name: Name
    owner: str | None = None
    purpose: str | None = None
    hypothesis: str | None = None
    expected_result: str | None = None
    tags: list[str] = Field(default_factory=list)
    priority: Literal["low", "normal", "high"] = "normal"
    goals: list[GoalConfig] = Field(default_factory=list)
    matrix: MatrixConfig
    workloads: Annotated[list[Name], Field(min_length=1)]
    suites: list[SuiteChoice] = Field(default_factory=list)
    repeats: Annotated[int, Field(ge=1, le=100)] = 3
    sampling: SamplingConfig = SamplingConfig()
    weights: WeightsConfig = WeightsConfig()
    seed: Seed = 42


class TargetsFile(Strict):
    """configs/targets.yaml."""

    targets: dict[Name, TargetConfig]


class ModelsFile(Strict):
    """configs/models.yaml."""

    models: dict[Name, ModelConfig]


class WorkloadsFile(Strict):
    """configs/workloads.yaml; a prompt set is a file beside it."""

    workloads: dict[Name, WorkloadConfig]
    prompt_sets: dict[Name, str]


class PromptsFile(Strict):
    """configs/prompts/*.yaml."""

    prompts: Annotated[list[PromptConfig], Field(min_length=1)]


class PricesFile(Strict):
    """configs/prices.yaml."""

    prices: dict[Name, PriceConfig] = Field(default_factory=dict)
