"""The pretended machine: loaded models, their slots, the card and the counters, with time as an argument."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bench.simulator.gpu import Card, elapse, loaded, utilization_pct
from bench.simulator.model import (
    PROFILES,
    VRAM_IDLE_MIB,
    VRAM_TOTAL_MIB,
    Profile,
    Settings,
    draws,
    load_ns,
    loaded_mib,
)
from bench.simulator.slots import Due, Job, Slots


class LoadRefused(Exception):
    """Why a model cannot be loaded, in one line; `status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Resident:
    """A model in memory."""

    profile: Profile
    settings: Settings
    slots: Slots


@dataclass(frozen=True, kw_only=True)
class Loading:
    """A load under way: memory fills evenly from `started_ns` to `ready_ns`."""

    profile: Profile
    settings: Settings
    started_ns: int
    ready_ns: int


class Machine:
    """State of the simulated server below its network: what is loaded, what runs, what it costs."""

    def __init__(self, *, seed: int, speed: float, now_ns: int) -> None:
        self.seed = seed
        self.speed = speed
        self.resident: dict[str, Resident] = {}
        self.loading: Loading | None = None
        self.requests: Counter[tuple[str, str]] = Counter()
        self.tokens: Counter[str] = Counter()
        self._card = Card(t_ns=now_ns)
        self._n_loads = 0

    def begin_load(self, model: str, settings: Settings, now_ns: int) -> Loading | None:
        """Start to load `model`; the load ends with `finish_load` at `ready_ns`.

        Returns:
            None if it is already there with these settings. Other settings mean a reload, which the caller
            prepares with `unload`.

        Raises:
            LoadRefused: unknown model, another load under way, or too little memory.
        """
        profile = PROFILES.get(model)
        if profile is None:
            raise LoadRefused(404, f"unknown model {model!r}; known: {', '.join(PROFILES)}")
        if self.loading is not None:
            raise LoadRefused(409, f"{self.loading.profile.name!r} is being loaded")
        if model in self.resident and self.resident[model].settings == settings:
            return None
        needed_mib = loaded_mib(profile, settings)
        free_mib = VRAM_TOTAL_MIB - self.vram_used_mib(now_ns)
        if needed_mib > free_mib:
            raise LoadRefused(
                507, f"out of memory: {model!r} needs {needed_mib:.0f} MiB, {free_mib:.0f} are free"
            )
        self._n_loads += 1
        rng = draws(self.seed, "load", model, self._n_loads)
        delay_ns = load_ns(profile, settings, speed=self.speed, rng=rng)
        self.loading = Loading(
            profile=profile, settings=settings, started_ns=now_ns, ready_ns=now_ns + delay_ns
        )
        return self.loading

    def finish_load(self) -> None:
        """The model being loaded is there now."""
        if self.loading is not None:
            self.place(self.loading.profile, self.loading.settings)
            self.loading = None

    def place(self, profile: Profile, settings: Settings) -> None:
        """Have a model in memory at once."""
        slots = Slots(profile, slots=settings.max_sequences, speed=self.speed)
        self.resident[profile.name] = Resident(profile=profile, settings=settings, slots=slots)

    def unload(self, model: str, now_ns: int) -> bool:
        """Forget a model; False if it was not loaded. The caller has cancelled its requests."""
        found = self.resident.pop(model, None) is not None
        self._touch(now_ns)
        return found

    def submit(self, model: str, job: Job, now_ns: int) -> None:
        """Hand a request to a resident model; all earlier events have been popped."""
        self.resident[model].slots.submit(job, now_ns)
        self._touch(now_ns)

    def cancel(self, model: str, job_id: int, now_ns: int) -> None:
        """Take a request back; unknown ones are ignored."""
        if model in self.resident:
            self.resident[model].slots.cancel(job_id, now_ns)
            self._touch(now_ns)

    def next_due_ns(self) -> int | None:
        """When the next event of any model is due; None if nothing runs."""
        dues = [due for one in self.resident.values() if (due := one.slots.next_due_ns()) is not None]
        return min(dues, default=None)

    def pop_due(self, now_ns: int) -> Due | None:
        """The earliest event of any model not later than `now_ns`, or None."""
        due_ns = self.next_due_ns()
        if due_ns is None or due_ns > now_ns:
            return None
        for name, one in self.resident.items():
            if one.slots.next_due_ns() == due_ns:
                due = one.slots.pop_due(now_ns)
                if due is not None and due.index >= 0:
                    self.tokens[name] += 1
                self._touch(due_ns)
                return due
        return None

    def vram_used_mib(self, now_ns: int) -> float:
        """Memory in use: driver, loaded models, running sequences, and the share of a load that is done."""
        used_mib = VRAM_IDLE_MIB
        for one in self.resident.values():
            used_mib += loaded_mib(one.profile, one.settings) + one.profile.sequence_mib * one.slots.busy
        if self.loading is not None:
            span_ns = self.loading.ready_ns - self.loading.started_ns
            done = min(1.0, (now_ns - self.loading.started_ns) / max(span_ns, 1))
            used_mib += loaded_mib(self.loading.profile, self.loading.settings) * done
        return used_mib

    def card(self, now_ns: int) -> Card:
        """The card at `now_ns`; all events until then have been popped."""
        return elapse(self._card, now_ns)

    def in_slots(self) -> Mapping[str, tuple[int, int]]:
        """By resident model: slots taken, requests queued."""
        return {name: (one.slots.busy, one.slots.queued) for name, one in self.resident.items()}

    def _touch(self, now_ns: int) -> None:
        shares = (utilization_pct(one.slots.busy, one.slots.slots) for one in self.resident.values())
        self._card = loaded(self._card, now_ns, max(shares, default=0.0))
