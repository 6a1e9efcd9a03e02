"""Puts every adapter of this repository through the suite that any other adapter can be put through too."""

from __future__ import annotations

import importlib
import pkgutil

import httpx
import msgspec
import pytest

import giftcard_adapters
from giftcard_adapters.contract import Provider
from giftcard_adapters.transport import open_transport
from giftcard_conformance import Case, Subject, World, cases
from giftcard_simulators.faults import Fault, FaultKind, Script
from giftcard_simulators.sandbox import IdSource, Simulator, TimeSource
from giftcard_simulators.serve import serve
from tests.conformance.descriptors import SUBJECTS as DESCRIBED
from tests.specs.formats import wire_format
from tests.specs.validating import Watched


def watched(subject: Subject) -> Subject:
    """Hold every exchange with the subject's simulator against the wire format.

    Some samples are wrong on purpose. A new adapter goes unwatched until its wire format is described.
    """
    try:
        reader = wire_format(subject.name, subject.stanza)
    except FileNotFoundError:
        return subject

    def make(*, now: TimeSource, ids: IdSource) -> Simulator:
        simulator = subject.simulator(now=now, ids=ids)
        return Watched(simulator, reader, may_be_asked_wrongly=True)

    return msgspec.structs.replace(subject, simulator=make)


SUBJECTS = {name: watched(subject) for name, subject in DESCRIBED.items()}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{name}/{case.name.replace(' ', '-')}")
        for name, subject in SUBJECTS.items()
        for case in cases(subject)
    ],
)
async def test_conforms(case: Case) -> None:
    """An adapter keeps the one rule the case names."""
    await case.run()


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=[*SUBJECTS])
async def test_speaks_over_a_real_wire(subject: Subject) -> None:
    """Every operation is approved over a real port too, even when each answer comes twice."""
    for sample in subject.samples.values():
        world = World(subject)
        ask = await world.ask(sample.approved)
        script = Script([Fault(fault=FaultKind.ANSWER_TWICE, times=100)])
        served = await serve(world.simulator, "127.0.0.1", 0, script=script)
        wire = open_transport()
        try:
            world.connect(wire, base_url=served.url + httpx.URL(world.settings.base_url).path.rstrip("/"))
            await world.approved(ask)
        finally:
            await wire.aclose()
            await served.close()


def test_every_adapter_has_a_descriptor() -> None:
    """No adapter of this repository escapes the suite."""
    found = {
        value
        for module in pkgutil.iter_modules(giftcard_adapters.__path__)
        for value in vars(importlib.import_module(f"giftcard_adapters.{module.name}")).values()
        if isinstance(value, type) and issubclass(value, Provider) and value is not Provider
    }
    without = found - {subject.adapter for subject in SUBJECTS.values()}
    assert not without, f"write tests/conformance/providers/NAME.py for {sorted(map(repr, without))}"
