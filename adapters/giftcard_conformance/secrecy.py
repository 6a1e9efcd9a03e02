"""Checks that no card number, PIN, key or password shows in anything an adapter hands out (rule 16)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from giftcard_adapters.errors import AdapterError
from giftcard_adapters.values.advices import AdviceKind
from giftcard_adapters.values.operations import Operation
from giftcard_conformance.advices import kinds
from giftcard_conformance.subject import (
    Asking,
    NotConforming,
    ReadSample,
    Sample,
    Subject,
    secrets_of,
)
from giftcard_conformance.wires import Echo
from giftcard_conformance.world import World
from giftcard_simulators.faults import Fault, FaultKind

_SHORTEST = 4
"""Shorter secrets are not searched for: they would be found by chance."""
_STATUSES = (200, 400, 500)
_FAULTS = (FaultKind.DROP_ANSWER, FaultKind.TRUNCATED_JSON, FaultKind.HTML_502, FaultKind.WRONG_AMOUNT)


async def money_shows_no_secret(subject: Subject, operation: Operation, sample: Sample) -> None:
    """Outcomes, calls, acknowledgements, errors and the adapter itself show no secret."""
    for asking in (sample.approved, sample.declined):
        await _try(World(subject), asking, str(operation))
    for kind in _FAULTS:
        world = World(subject)
        ask = await world.ask(sample.approved)
        world.play(Fault(fault=kind), path=sample.path)
        await _try(world, ask, f"{operation} on {kind}")
    await _advise(subject, operation, sample)


async def echo_shows_no_secret(subject: Subject, operation: Operation, sample: Sample) -> None:
    """A provider that repeats the whole request in its answer brings no secret into our texts."""
    for status in _STATUSES:
        world = World(subject)
        ask = await world.ask(sample.approved)
        world.connect(Echo(status))
        await _try(world, ask, f"{operation}, echoed with {status}")


async def read_shows_no_secret(subject: Subject, method: str, sample: ReadSample) -> None:
    """A read's result and its errors show no secret."""
    for arguments in (sample.arguments, sample.refused):
        if arguments is None:
            continue
        world = World(subject)
        given = await world.arguments(arguments)
        shown: object
        try:
            shown = await world.read(method, given)
        except AdapterError as error:
            shown = error
        _demand_hidden(world, given, shown, method)


async def _try(world: World, asking: Asking, where: str) -> None:
    ask = await world.ask(asking)
    shown: object
    try:
        shown = await world.settle(ask)
    except AdapterError as error:
        shown = error
    _demand_hidden(world, ask, shown, where)


async def _advise(subject: Subject, operation: Operation, sample: Sample) -> None:
    for kind in kinds(subject, operation):
        world = World(subject)
        ask, outcome = await world.approved(sample.approved)
        advice = world.advice(kind)
        write = world.provider.confirmation if kind is AdviceKind.CONFIRMATION else world.provider.reversal
        for call in write(ask, outcome, advice):
            receipt = await world.provider.deliver(call, advice, age_s=0.0)
            _demand_hidden(world, ask, [call, receipt], f"the {kind} of {operation}")


def _demand_hidden(world: World, asked: object, shown: object, where: str) -> None:
    secrets = {*_texts(world.settings), *_texts(asked), *_texts(shown)}
    for text in _showing(world, shown):
        for secret in secrets:
            if re.search(rf"(?<![0-9A-Za-z]){re.escape(secret)}(?![0-9A-Za-z])", text):
                raise NotConforming(
                    f"{where}: a secret shows in the text of {type(shown).__name__}: "
                    "hold it as Secret, and scrub() whatever comes from the provider"
                )


def _showing(world: World, shown: object) -> Iterator[str]:
    yield from (repr(shown), str(shown), repr(world.settings), repr(world.provider), str(world.provider))
    cause = shown.__context__ if isinstance(shown, BaseException) else None
    while cause is not None:
        yield from (repr(cause), str(cause))
        cause = cause.__context__


def _texts(value: object) -> Iterator[str]:
    for secret in secrets_of(value if isinstance(value, Mapping | msgspec.Struct | list | tuple) else ()):
        if len(secret.reveal()) >= _SHORTEST:
            yield secret.reveal()
