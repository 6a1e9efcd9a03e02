"""What it costs to be seen: one Redeem of a gateway that tells everything, some of it, and nothing."""

from __future__ import annotations

from tests.bench.compare.designs import gateway
from tests.bench.compare.progress import say
from tests.bench.compare.scale import Scale
from tests.bench.compare.sections import Section
from tests.bench.compare.side_by_side import SideBySide, opened_rig

_SPANS = {"OTEL_LOGS_EXPORTER": "none", "OTEL_TRACES_SAMPLER": "parentbased_always_on"}
_TENTH = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
NOTHING = "nothing"
TOLD = {
    NOTHING: {"OTEL_SDK_DISABLED": "true"},
    "metrics": {**_SPANS, "OTEL_TRACES_EXPORTER": "none"},
    "metrics, no span sampled": {**_SPANS, "OTEL_TRACES_SAMPLER": "parentbased_always_off"},
    "metrics, a tenth of spans": {**_SPANS, **_TENTH},
    "metrics, all spans": _SPANS,
    "metrics, all spans, logs": {"OTEL_TRACES_SAMPLER": "parentbased_always_on"},
}
"""What goes to a collector, and the variables that say so."""


def measure(scale: Scale) -> Section:
    """Play the same gateway on SQLite side by side, with more and more of it told."""
    with opened_rig() as rig:
        designs = []
        for number, (name, variables) in enumerate(TOLD.items()):
            say(f"starting {name}")
            serving = gateway(rig, f"telemetry-{number}", "sqlite", variables=variables)
            serving.name = name
            designs.append(serving)
        run = SideBySide(rig, designs)
        run.warm()
        run.play(scale.rounds, scale.callers, scale.seconds)
        return Section("Telemetry", run.rows([NOTHING]), run.faults())
