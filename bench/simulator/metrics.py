"""The simulated server's own metrics, as Prometheus text."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.simulator.gpu import power_w
from bench.simulator.machine import Machine
from bench.simulator.model import VRAM_TOTAL_MIB

CARD_NAME = "Simulated 24 GiB"
CARD_UUID = "SIM-00000000"


@dataclass(kw_only=True)
class Lateness:
    """How late events left after they were due: the simulator's own imprecision, told to its users."""

    n: int = 0
    total_ns: int = 0
    max_ns: int = 0

    def add(self, late_ns: int) -> None:
        """Count one event that left `late_ns` after it was due."""
        self.n += 1
        self.total_ns += late_ns
        self.max_ns = max(self.max_ns, late_ns)


def metrics_text(machine: Machine, lateness: Lateness, now_ns: int) -> str:
    """All metrics at `now_ns`."""
    card = machine.card(now_ns)
    in_slots = machine.in_slots()
    lines: list[str] = []

    def family(name: str, kind: str, about: str, values: Mapping[str, float]) -> None:
        lines.extend((f"# HELP {name} {about}", f"# TYPE {name} {kind}"))
        lines.extend(f"{name}{labels} {value}" for labels, value in values.items())

    outcomes = {
        f'{{model="{model}",outcome="{outcome}"}}': n
        for (model, outcome), n in sorted(machine.requests.items())
    }
    family("sim_requests_total", "counter", "Chat requests that ended, by outcome.", outcomes)
    by_model = {f'{{model="{model}"}}': queued for model, (_, queued) in in_slots.items()}
    family("sim_queue_depth", "gauge", "Requests that wait for a slot.", by_model)
    by_model = {f'{{model="{model}"}}': busy for model, (busy, _) in in_slots.items()}
    family("sim_slots_busy", "gauge", "Slots that are taken.", by_model)
    tokens = {f'{{model="{model}"}}': n for model, n in sorted(machine.tokens.items())}
    family("sim_tokens_total", "counter", "Tokens generated.", tokens)
    gpu = f'{{device="0",name="{CARD_NAME}",uuid="{CARD_UUID}"}}'
    family("sim_vram_used_mib", "gauge", "Memory in use.", {gpu: machine.vram_used_mib(now_ns)})
    family("sim_vram_total_mib", "gauge", "Memory of the card.", {gpu: VRAM_TOTAL_MIB})
    family("sim_gpu_utilization_pct", "gauge", "Share of time the card works.", {gpu: card.utilization_pct})
    family("sim_power_w", "gauge", "Power.", {gpu: power_w(card)})
    family("sim_energy_mj_total", "counter", "Energy since start, millijoules.", {gpu: round(card.energy_mj)})
    family("sim_temperature_c", "gauge", "Temperature.", {gpu: round(card.temperature_c, 2)})
    family("sim_sends_total", "counter", "Events sent.", {"": lateness.n})
    family("sim_send_late_seconds_total", "counter", "Sum of lateness.", {"": lateness.total_ns / 1e9})
    family(
        "sim_send_late_seconds_max", "gauge", "Greatest lateness of one event.", {"": lateness.max_ns / 1e9}
    )
    return "\n".join(lines) + "\n"
