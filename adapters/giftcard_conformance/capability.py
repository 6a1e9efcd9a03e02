"""Checks of what an adapter says it can do, and of its simulator: methods, traits, samples, stanza."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from giftcard_adapters.contract import READS, Settings, has, traits_of
from giftcard_adapters.errors import SettingsError
from giftcard_adapters.stanza import read_settings
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.traits import Ending, Guarantee, OperationTraits
from giftcard_conformance.subject import NotConforming, Subject, demand
from giftcard_conformance.world import World
from giftcard_simulators.sandbox import Simulator

_LETTERS = {Guarantee.NATIVE: "N", Guarantee.COMPENSATED: "C", Guarantee.NONE: "1"}
_MISSPELT = "no_such_key"


async def methods_and_traits_agree(subject: Subject) -> None:
    """A money method exists exactly where traits are declared."""
    for operation in Operation:
        method = names_of(operation).method
        exists = getattr(subject.adapter, method, None) is not None
        demand(
            exists == (traits_of(subject.adapter, operation) is not None),
            f"{subject.adapter.__name__}.{method} needs @traits(...): how it is confirmed and ended",
        )


async def traits_have_their_methods(subject: Subject) -> None:
    """Each method that the traits need exists, and no second-phase method exists without need."""
    traits = [m for m in (traits_of(subject.adapter, operation) for operation in Operation) if m]
    demand(traits, f"{subject.adapter.__name__} has no money method: write at least one, under @traits(...)")
    wanted = {method for one in traits for method in _second_phase(one)}
    for method in ("confirmation", "reversal", "deliver", "find"):
        demand(
            has(subject.adapter, method) == (method in wanted),
            f"write {subject.adapter.__name__}.{method}: its traits promise it"
            if method in wanted
            else f"{subject.adapter.__name__}.{method} is promised by no traits: take it away, or declare it",
        )
    for one in traits:
        demand(
            (one.unknown is Ending.RESEND) == (one.resend_window_s is not None),
            "traits that end unknowns by RESEND say for how long: resend_window_s, and only then",
        )


def _second_phase(traits: OperationTraits) -> set[str]:
    methods = {
        Guarantee.NATIVE: {"confirmation", "reversal", "deliver"},
        Guarantee.COMPENSATED: {"reversal", "deliver"},
    }.get(traits.guarantee, set())
    endings = {Ending.FIND: {"find"}, Ending.RESEND: {"find"}, Ending.REVERSE: {"reversal", "deliver"}}
    return methods | endings.get(traits.unknown, set())


async def row_is_as_expected(subject: Subject) -> None:
    """The computed capability row is the one the descriptor expects."""
    traits = {operation: traits_of(subject.adapter, operation) for operation in Operation}
    row = {operation: _LETTERS[m.guarantee] for operation, m in traits.items() if m}
    lacking = [operation for operation in subject.guarantees if operation not in row]
    demand(
        not lacking,
        f"{subject.adapter.__name__} lacks what the descriptor expects of it; write, under @traits(...), "
        + ", ".join(
            f"{names_of(operation).method} as {subject.guarantees[operation]}" for operation in lacking
        ),
    )
    demand(
        row == dict(subject.guarantees),
        f"the adapter's row is {_shown(row)}; the descriptor expects {_shown(subject.guarantees)}",
    )
    reads = {method for method in READS if has(subject.adapter, method)}
    expected = {*subject.reads, *(["read_webhook"] if subject.has_webhooks else [])}
    demand(
        reads == expected,
        f"the adapter has the reads {sorted(reads)}, the descriptor has samples of {sorted(expected)}",
    )


def _shown(row: Mapping[Operation, str]) -> str:
    return ", ".join(f"{operation} {letter}" for operation, letter in sorted(row.items())) or "empty"


async def facts_are_told(subject: Subject) -> None:
    """Operators are told what is special about the provider."""
    demand(
        subject.adapter.facts,
        f"write {subject.adapter.__name__}.facts: for operators, what is special or assumed at this provider",
    )


async def simulator_is_whole(subject: Subject) -> None:
    """The simulator implements every abstract method, and opens with cards."""
    lacking = sorted(getattr(subject.simulator, "__abstractmethods__", ()))
    name = getattr(subject.simulator, "__name__", "the simulator")
    demand(
        not lacking,
        "; ".join(f"write {name}.{method}: {_first_line(getattr(Simulator, method))}" for method in lacking),
    )
    demand(
        World(subject).simulator.cards(),
        "the simulator opens without a card: give it demo cards, for every sample and every test switch",
    )


def _first_line(method: object) -> str:
    return (method.__doc__ or "").partition("\n")[0].rstrip(".")


async def every_operation_has_a_sample(subject: Subject) -> None:
    """The descriptor shows every operation approved and declined."""
    for operation in subject.guarantees:
        demand(
            operation in subject.samples,
            f"write a Sample of {operation}: one operation the simulator approves, and one it declines",
        )


async def stanza_is_read(subject: Subject) -> None:
    """The stanza of the descriptor opens the adapter."""
    demand(
        issubclass(subject.adapter.settings_type, Settings),
        "settings_type must be a subclass of contract.Settings, with forbid_unknown_fields=True",
    )
    read_settings(subject.adapter, subject.stanza)


async def stanza_refuses_unknown_keys(subject: Subject) -> None:
    """A key nobody knows is refused by its name."""
    faults = _faults(subject, {**subject.stanza, _MISSPELT: 1})
    demand(any(_MISSPELT in fault for fault in faults), "an unknown key must be refused by its name")


async def stanza_refuses_missing_keys(subject: Subject) -> None:
    """Each required key is missed by its name, all of them at once."""
    required = [
        field.name for field in msgspec.structs.fields(subject.adapter.settings_type) if field.required
    ]
    faults = _faults(subject, {})
    for name in required:
        demand(
            any(repr(name) in fault for fault in faults), f"the missing key {name!r} must be named as missing"
        )


async def stanza_refuses_other_types(subject: Subject) -> None:
    """A value of another type is refused by its key, and never shown."""
    for key in subject.stanza:
        faults = _faults(subject, {**subject.stanza, key: [[_MISSPELT]]})
        demand(any(repr(key) in fault for fault in faults), f"a list as {key!r} must be refused by its name")
        demand(_MISSPELT not in " ".join(faults), f"the refusal of {key!r} must not repeat its value")


def _faults(subject: Subject, stanza: Mapping[str, object]) -> tuple[str, ...]:
    try:
        read_settings(subject.adapter, stanza)
    except SettingsError as error:
        return error.faults
    raise NotConforming("a faulty stanza was accepted: keep forbid_unknown_fields=True and typed fields")
