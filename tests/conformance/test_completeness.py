"""Rule 21 in the suite: a field that is dropped is told by its path, and `leaves_out` cannot rot."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import pytest

from giftcard_adapters.calls import Call
from giftcard_adapters.contract import traits
from giftcard_adapters.electrum import Electrum
from giftcard_adapters.errors import Invalid, Unsupported
from giftcard_adapters.values.advices import Advice
from giftcard_adapters.values.operations import Activate, Load, MoneyOperation, Operation, Redeem
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.reads import CardView, Lookup
from giftcard_adapters.values.traits import Ending, Guarantee
from giftcard_conformance import NotConforming, Subject, cases
from tests.conformance.descriptors import SUBJECTS

as_before = traits(Guarantee.NATIVE, Ending.REVERSE, is_reversal_partial=True, is_confirmation_partial=True)


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """A new part of a request."""

    code: str = ""
    steps: tuple[int, ...] = ()


class PromotedRedeem(Redeem, frozen=True, kw_only=True, omit_defaults=True, tag="REDEEM"):
    """A redemption with fields that no adapter knows yet."""

    promotion_code: str = ""
    promotion: Promotion | None = None


class DeclaresPromotions(Electrum):
    """Says why it leaves the new fields out."""

    leaves_out: ClassVar = {**Electrum.leaves_out, "promotion*": "Electrum knows no promotions"}


class RefusesPromotions(Electrum):
    """Refuses one new field by name, and the other in words."""

    def check(self, ask: MoneyOperation) -> None:
        """Check."""
        super().check(ask)
        if getattr(ask, "promotion_code", ""):
            raise Invalid([("promotion_code", "is not known here")])
        if getattr(ask, "promotion", None) is not None:
            raise Unsupported("this provider has no promotions")


class RefusesLate(Electrum):
    """Refuses a new field after `check` took it."""

    @as_before
    async def redeem(self, ask: Redeem) -> Outcome:
        """Redeem."""
        if getattr(ask, "promotion_code", ""):
            raise Invalid([("promotion_code", "is not known here")])
        return await self._request(ask)


class RefusesAnotherField(Electrum):
    """Refuses a new field under the name of another."""

    def check(self, ask: MoneyOperation) -> None:
        """Check."""
        super().check(ask)
        if getattr(ask, "promotion_code", ""):
            raise Invalid([("basket", "is not known here")])


class DropsPin(Electrum):
    """Leaves the PIN out of a load."""

    @as_before
    async def load(self, ask: Load) -> Outcome:
        """Load."""
        card = msgspec.structs.replace(ask.card, pin=None)
        return await self._request(msgspec.structs.replace(ask, card=card))


class DropsTenders(Electrum):
    """Leaves the tenders out of every confirmation."""

    def confirmation(self, ask: MoneyOperation, outcome: Outcome, advice: Advice) -> tuple[Call, ...]:
        """Confirm."""
        return super().confirmation(ask, outcome, msgspec.structs.replace(advice, tenders=()))


class DropsTill(Electrum):
    """Leaves the till out of a lookup."""

    async def lookup(self, ask: Lookup) -> CardView:
        """Look up."""
        return await super().lookup(msgspec.structs.replace(ask, point_of_sale=None))


class DeclaresWhatReaches(Electrum):
    """Declares left out what it sends."""

    leaves_out: ClassVar = {**Electrum.leaves_out, "load.amount": "a slip of the pen"}


class DeclaresWhatIsRefused(Electrum):
    """Declares left out what it refuses."""

    leaves_out: ClassVar = {**Electrum.leaves_out, "load.points": "a slip of the pen"}


class DeclaresNothingThere(Electrum):
    """Declares left out what there is not."""

    leaves_out: ClassVar = {**Electrum.leaves_out, "load.promotion_code": "a field of long ago"}


class DeclaresWithoutReason(Electrum):
    """Does not say why."""

    leaves_out: ClassVar = {**Electrum.leaves_out, "buyer": ""}


def promoted() -> Subject:
    """Return Electrum's subject, as if a redemption had got new fields."""
    subject = SUBJECTS["electrum"]
    sample = subject.samples[Operation.REDEEM]
    plain = sample.approved
    assert isinstance(plain, Redeem)
    fields = {name: getattr(plain, name) for name in plain.__struct_fields__}
    new = msgspec.structs.replace(sample, approved=PromotedRedeem(**fields))
    return msgspec.structs.replace(subject, samples={**subject.samples, Operation.REDEEM: new})


async def run(subject: Subject, adapter: type[Electrum], name: str) -> None:
    """Run one case of the suite against an adapter."""
    played = msgspec.structs.replace(subject, adapter=adapter)
    (case,) = (case for case in cases(played) if case.name == name)
    await case.run()


async def test_a_new_field_is_told_by_its_path() -> None:
    """A field added to the values, and put into no request, fails with the sentence that says what to do."""
    with pytest.raises(NotConforming) as told:
        await run(promoted(), Electrum, "REDEEM/no_field_is_dropped")
    way_out = "put it into the request, refuse it by name in check(), or say in Electrum.leaves_out why"
    for field in ("redeem.promotion_code", "redeem.promotion.code", "redeem.promotion.steps"):
        assert f"{field} is dropped: {way_out}" in str(told.value)
    assert len(str(told.value).splitlines()) == 3


@pytest.mark.parametrize("adapter", [DeclaresPromotions, RefusesPromotions])
async def test_a_new_field_that_is_accounted_for_passes(adapter: type[Electrum]) -> None:
    """A field that is declared left out, or refused by name, is not dropped."""
    await run(promoted(), adapter, "REDEEM/no_field_is_dropped")


REDEEM, LOAD, ALL = "REDEEM/no_field_is_dropped", "LOAD/no_field_is_dropped", "leaves_out_names_fields"
BROKEN: list[tuple[type[Electrum], str, str]] = [
    (RefusesLate, REDEEM, "REDEEM was refused after check.. took it: promotion_code"),
    (RefusesAnotherField, REDEEM, "redeem.promotion_code could not be tried"),
    (DropsPin, LOAD, "load.card.pin.hashed.digest is dropped"),
    (
        DropsTenders,
        "ACTIVATE/CONFIRMATION/no_advice_field_is_dropped",
        "confirm_activate.tenders.reference is",
    ),
    (DropsTill, "lookup/no_read_field_is_dropped", "lookup.point_of_sale.terminal_id is dropped"),
    (DeclaresWhatReaches, LOAD, "load.amount.amount_minor stands in .* and reaches the provider"),
    (DeclaresWhatIsRefused, LOAD, "load.points.worth.currency stands in .* and is refused by name"),
    (DeclaresNothingThere, ALL, "'load.promotion_code' names no field"),
    (DeclaresWithoutReason, ALL, "say in a few words why 'buyer' is left out"),
]


@pytest.mark.parametrize(("adapter", "name", "sentence"), BROKEN, ids=lambda value: str(value)[:50])
async def test_what_is_dropped_or_declared_wrongly_is_told(
    adapter: type[Electrum], name: str, sentence: str
) -> None:
    """Whatever an adapter drops, and whatever its `leaves_out` says that is not so, is told by its path."""
    subject = promoted() if name == REDEEM else SUBJECTS["electrum"]
    with pytest.raises(NotConforming, match=sentence):
        await run(subject, adapter, name)


async def test_a_vault_is_asked_for_too() -> None:
    """An operation's own flag is a field like any other: without its refusal it is dropped."""

    class Forgets(Electrum):
        """Forgets that it has no vault."""

        def check(self, ask: MoneyOperation) -> None:
            """Check."""
            assert isinstance(ask, Activate)
            super().check(msgspec.structs.replace(ask, store=False))

        @traits(Guarantee.NATIVE, Ending.REVERSE, is_confirmation_partial=True)
        async def activate(self, ask: Activate) -> Outcome:
            """Activate."""
            return await self._request(msgspec.structs.replace(ask, store=False))

    with pytest.raises(NotConforming, match=r"activate\.store is dropped"):
        await run(SUBJECTS["electrum"], Forgets, "ACTIVATE/no_field_is_dropped")
