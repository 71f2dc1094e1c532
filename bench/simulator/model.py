"""How long the simulated models take and how much memory they pretend to hold: pure and seeded.

All randomness comes from a key (server seed, model, request seed, prompt), so the same request to the same
server has the same delays on every machine. Speed only scales the clock.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from random import Random
from typing import Any

VRAM_TOTAL_MIB = 24_576.0
"""Memory of the pretended card."""

VRAM_IDLE_MIB = 410.0
"""What the pretended card holds with no model loaded (driver and context)."""

NS_PER_MS = 1_000_000

_JITTER = 0.1
"""Every delay is drawn uniformly within this fraction of its mean."""

_WEIGHT_FACTORS = {"bfloat16": 1.0, "float16": 1.0, "int8": 0.5}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The parameters of one simulated model; times are means, before jitter and speed."""

    name: str
    prefill_base_ms: float
    prefill_per_token_ms: float
    decode_ms: float
    decode_growth_per_slot: float
    load_ms: float
    weights_mib: float
    kv_mib_per_1k_tokens: float
    sequence_mib: float


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What can be turned at load time: tokens a sequence may hold, sequences at once, weight type."""

    context_tokens: int = 8192
    max_sequences: int = 8
    dtype: str = "bfloat16"


class SettingsError(ValueError):
    """A setting that the simulator does not know or cannot use, in one line."""


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="sim-careful",
            prefill_base_ms=45.0,
            prefill_per_token_ms=0.050,
            decode_ms=5.5,
            decode_growth_per_slot=0.06,
            load_ms=1200.0,
            weights_mib=15_542.0,
            kv_mib_per_1k_tokens=256.0,
            sequence_mib=96.0,
        ),
        Profile(
            name="sim-balanced",
            prefill_base_ms=30.0,
            prefill_per_token_ms=0.030,
            decode_ms=3.5,
            decode_growth_per_slot=0.05,
            load_ms=800.0,
            weights_mib=7_566.0,
            kv_mib_per_1k_tokens=128.0,
            sequence_mib=64.0,
        ),
        Profile(
            name="sim-hasty",
            prefill_base_ms=18.0,
            prefill_per_token_ms=0.015,
            decode_ms=2.0,
            decode_growth_per_slot=0.04,
            load_ms=400.0,
            weights_mib=4_078.0,
            kv_mib_per_1k_tokens=64.0,
            sequence_mib=32.0,
        ),
    )
}


def parse_settings(raw: Mapping[str, Any]) -> Settings:
    """Settings of a load, from JSON.

    Raises:
        SettingsError: an unknown name (the nearest known one is suggested) or an unusable value. A setting
            without an effect is refused rather than ignored, or a cell would claim what never happened.
    """
    known = Settings.__dataclass_fields__
    for name in raw:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
            raise SettingsError(f"unknown setting {name!r}{hint}")
    settings = Settings(**raw)
    for name, top in (("context_tokens", 1_048_576), ("max_sequences", 1024)):
        value = getattr(settings, name)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= top:
            raise SettingsError(f"setting {name!r} must be an integer from 1 to {top}, got {value!r}")
    if not isinstance(settings.dtype, str) or settings.dtype not in _WEIGHT_FACTORS:
        raise SettingsError(
            f"setting 'dtype' must be one of {', '.join(_WEIGHT_FACTORS)}, got {settings.dtype!r}"
        )
    return settings


def loaded_mib(profile: Profile, settings: Settings) -> float:
    """Memory in MiB that a loaded, idle model holds: weights by type plus a cache sized by the context."""
    weights = profile.weights_mib * _WEIGHT_FACTORS[settings.dtype]
    return weights + profile.kv_mib_per_1k_tokens * settings.context_tokens / 1024


def draws(*key: object) -> Random:
    """A generator for one request, seeded from `key`; equal keys give equal draws on every platform."""
    digest = hashlib.blake2b("\x1f".join(map(str, key)).encode(), digest_size=16).digest()
    return Random(int.from_bytes(digest, "big"))  # noqa: S311 - delays, not secrets


def _jittered_ns(mean_ms: float, speed: float, rng: Random) -> int:
    return round(mean_ms * rng.uniform(1 - _JITTER, 1 + _JITTER) / speed * NS_PER_MS)


def load_ns(profile: Profile, settings: Settings, *, speed: float, rng: Random) -> int:
    """Time to load the model, in ns; proportional to the bytes of the weights."""
    return _jittered_ns(profile.load_ms * _WEIGHT_FACTORS[settings.dtype], speed, rng)


def prefill_ns(profile: Profile, prompt_tokens: int, *, speed: float, rng: Random) -> int:
    """Time from getting a slot to the first token, in ns: a base plus a share per prompt token."""
    return _jittered_ns(profile.prefill_base_ms + profile.prefill_per_token_ms * prompt_tokens, speed, rng)


def step_ns(profile: Profile, busy: int, *, speed: float, rng: Random) -> int:
    """Time from one token to the next while `busy` sequences (this one included) share the card, in ns."""
    return _jittered_ns(profile.decode_ms * (1 + profile.decode_growth_per_slot * (busy - 1)), speed, rng)


def solo_offsets_ns(
    profile: Profile, prompt_tokens: int, n_tokens: int, *, speed: float, rng: Random
) -> Iterator[int]:
    """Due times of each token after arrival, in ns, for a request that has the server to itself.

    The statement that a client's stamps are held against.
    """
    due_ns = prefill_ns(profile, prompt_tokens, speed=speed, rng=rng)
    yield due_ns
    for _ in range(n_tokens - 1):
        due_ns += step_ns(profile, 1, speed=speed, rng=rng)
        yield due_ns
