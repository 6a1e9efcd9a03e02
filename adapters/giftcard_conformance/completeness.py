"""Checks that nothing asked is dropped: each field reaches the provider, is refused, or is declared left out.

The fields are found in the structs' declarations (rule 21); `fate` finds out what becomes of each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

import msgspec

from giftcard_adapters.contract import traits_of
from giftcard_adapters.errors import AdapterError, Invalid, Unsupported
from giftcard_adapters.values.advices import Advice, AdviceKind
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import AnyOperation, MoneyOperation, Operation
from giftcard_adapters.values.traits import Guarantee
from giftcard_conformance.fate import Asked, Fate, Look, Seen, covers, fate_of, is_within
from giftcard_conformance.leaves import leaves
from giftcard_conformance.subject import NotConforming, ReadSample, Sample, Subject, demand
from giftcard_conformance.world import World

OURS: Mapping[str, str] = {
    "transaction_id": "names the transaction to us; a provider that takes an id is sent it",
    "requested_at": "the time the gateway wrote the intent down",
    "provider": "chooses the provider",
    "labels": "kept and searched by the gateway, for the caller alone",
    "lookup_id": "made by the gateway",
    "asked_at": "made by the gateway",
    "list_stored_cards.descending": "the direction of order_by, which is never given alone",
    "*card.erased": "what the gateway leaves of a number that it erased; nothing is asked of such a card",
    "*cards.erased": "the same",
    "balances.card": "not set: the cards go beside it",
    "balances.card_holder": "not set: the cards go beside it",
}
"""Fields that are the gateway's own business, and what they are for."""

_UNNAMED = frozenset({"ask", "query"})
"""Arguments of reads whose fields are told without the argument's name."""
_OF_THE_GATEWAY = frozenset({"advice_id", "kind", "written_at", "amount.currency"})
"""What the gateway puts into every advice; it refuses any currency but the transaction's own."""
_SENTENCES = {
    Fate.DROPPED: "{field} is dropped: put it into the request, refuse it by name in check(), "
    "or say in {adapter}.leaves_out why the provider has no place for it",
    Fate.UNTRIED: "{field} could not be tried: put two values that fit it into the Subject's `fitting`",
}
_DECLARED = {
    Fate.REACHED: "{field} stands in {adapter}.leaves_out and reaches the provider: take the entry away",
    Fate.REFUSED: "{field} stands in {adapter}.leaves_out and is refused by name: take the entry away",
    Fate.UNTRIED: _SENTENCES[Fate.UNTRIED],
}


async def no_field_is_dropped(subject: Subject, operation: Operation, sample: Sample) -> None:
    """Each field of a money operation reaches the provider, is refused by name, or is declared left out."""
    ask = await World(subject).ask(sample.approved)

    async def send(changed_ask: MoneyOperation) -> Seen:
        world = World(subject)
        prepared = await world.ask(sample.approved)
        asked: Any = msgspec.structs.replace(
            changed_ask, transaction_id=prepared.transaction_id, requested_at=prepared.requested_at
        )
        world.provider.check(asked)
        return await _request(world, asked)

    await _judge(subject, Asked(names_of(operation).method, type(ask), ask), send)


async def no_advice_field_is_dropped(
    subject: Subject, operation: Operation, sample: Sample, kind: AdviceKind
) -> None:
    """Each field of a confirmation or reversal reaches the provider, is refused, or is declared left out.

    A confirmation the provider has no call for ends in the gateway, and so do its fields. A part of an
    amount is refused by the gateway unless the traits allow it.
    """
    world = World(subject)
    traits = traits_of(world.provider, operation)
    if traits is None:
        return
    ask, outcome = await world.approved(sample.approved)
    is_reversal, names = kind is AdviceKind.REVERSAL, names_of(operation)
    is_partial = traits.is_reversal_partial if is_reversal else traits.is_confirmation_partial
    apart = {*_OF_THE_GATEWAY, "tenders" if is_reversal else "reason", *(() if is_partial else ("amount",))}

    async def send(advice: Advice) -> Seen:
        if is_reversal:
            return Seen(world.provider.reversal(ask, outcome, advice))
        is_told = traits.guarantee is Guarantee.NATIVE
        return Seen(world.provider.confirmation(ask, outcome, advice) if is_told else ())

    method = names.reverse_method if is_reversal else names.confirm_method
    whole = outcome.approved or ask.amount
    part = Money(whole.currency, 1) if whole and is_partial else None
    await _judge(subject, Asked(method, Advice, world.advice(kind, amount=part)), send, apart)


def advised(subject: Subject, operation: Operation) -> tuple[AdviceKind, ...]:
    """Return the advices callers can give: any operation can be confirmed, not any reversed."""
    traits = traits_of(subject.adapter, operation)
    has_way_back = traits is not None and traits.guarantee is not Guarantee.NONE
    return tuple(AdviceKind) if has_way_back else (AdviceKind.CONFIRMATION,)


async def no_read_field_is_dropped(subject: Subject, method: str, sample: ReadSample) -> None:
    """Each field of a read or vault call reaches the provider, is refused, or is declared left out."""
    for argument, asked in (await _arguments(subject, method, sample)).items():

        async def send(value: object, argument: str = argument) -> Seen:
            world = World(subject)
            prepared = await world.arguments(sample.arguments)
            return await _read(world, method, {**prepared, argument: value})

        await _judge(subject, asked, send)


async def leaves_out_names_fields(subject: Subject) -> None:
    """Each entry of `leaves_out` names a field of something this adapter can be asked, and says why."""
    asked = [Asked(name, kind, None) async for name, kind in _everything(subject)]
    fields = [f"{one.name}.{'.'.join(path)}" for one in asked for path in leaves(one.kind)]
    name = subject.adapter.__name__
    for entry, reason in subject.adapter.leaves_out.items():
        demand(
            any(covers(entry, field) for field in fields),
            f"{name}.leaves_out: {entry!r} names no field it can be asked: take the entry away",
        )
        demand(reason, f"{name}.leaves_out: say in a few words why {entry!r} is left out")


async def _everything(subject: Subject) -> AsyncIterator[tuple[str, Any]]:
    for operation, sample in subject.samples.items():
        names = names_of(operation)
        yield names.method, type(await World(subject).ask(sample.approved))
        yield names.confirm_method, Advice
        yield names.reverse_method, Advice
    for method, read in subject.reads.items():
        for asked in (await _arguments(subject, method, read)).values():
            yield asked.name, asked.kind


async def _arguments(subject: Subject, method: str, sample: ReadSample) -> dict[str, Asked]:
    found = {}
    for argument, value in (await World(subject).arguments(sample.arguments)).items():
        name = method if argument in _UNNAMED else f"{method}.{argument}"
        is_many = isinstance(value, Sequence) and not isinstance(value, str)
        kind = tuple[type(value[0]), ...] if is_many else type(value)  # type: ignore[misc, index]  # a type made of a value's
        within = (f"{argument}.", f"{argument.removesuffix('s')}.") if is_many else ("",)
        found[argument] = Asked(name, kind, value, within)
    return found


async def _request(world: World, ask: AnyOperation) -> Seen:
    before = len(world.wire.sent)
    try:
        await world.request(ask)
    except (Invalid, Unsupported) as refusal:
        raise NotConforming(f"{ask.operation} was refused after check() took it: {refusal}") from None
    except AdapterError:
        pass
    return Seen(world.wire.sent[before:], tuple(world.wire.headers[before:]))


async def _read(world: World, method: str, arguments: Mapping[str, object]) -> Seen:
    before = len(world.wire.sent)
    answer: object = None
    try:
        answer = await world.read(method, arguments)
    except (Invalid, Unsupported):
        raise
    except AdapterError as fault:
        answer = repr(fault)
    sent = world.wire.sent[before:]
    if not sent and isinstance(answer, Sequence):
        refused = [item.provider_text for item in answer if isinstance(item, Decline)]
        if refused:
            raise Unsupported("; ".join(refused))
    return Seen(sent, tuple(world.wire.headers[before:]), answer)


async def _judge(subject: Subject, asked: Asked, send: Look, apart: Collection[str] = ()) -> None:
    """Demand of every leaf of what is asked that it is not dropped; tell all that are, at once."""
    unstable = (await send(asked.sample)).changing(await send(asked.sample))

    async def look(value: object) -> Seen:
        return (await send(value)).without(unstable)

    faults = []
    for path in leaves(asked.kind):
        field = ".".join((asked.name, *path))
        is_ours = any(is_within(".".join(path), one) for one in apart)
        if is_ours or any(covers(entry, field) for entry in OURS):
            continue
        is_declared = any(covers(entry, field) for entry in subject.adapter.leaves_out)
        fate = await fate_of(asked, path, look, subject.fitting)
        if sentence := (_DECLARED if is_declared else _SENTENCES).get(fate):
            faults.append(sentence.format(field=field, adapter=subject.adapter.__name__))
    demand(not faults, "\n".join(faults))
