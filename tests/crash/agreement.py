"""What must hold when all is over: every transaction ended, and every provider's books say the same.

The model is plain Python over what was asked and how it ended. It knows what each ending means for
money at each provider, and no more of the gateway than its entries.
"""

from __future__ import annotations

from collections import Counter as Count
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Activate, Issue, Load, Operation, Redeem, Replace, Transfer
from giftcard_gateway.ledger.entry import Entry, State
from tests.crash.providers import ELECTRUM, GATEPAY, GR4VY, JEUDIMERCI, Attributed, Counter
from tests.crash.store import ENDED
from tests.crash.witness import Witness

Effect = Mapping[str, Any]
_NOTHING = frozenset({State.DECLINED, State.FAILED})

_STARTING_MINOR = {"product001": 0, "product009": 10_000}
"""What Electrum's simulator puts on a card of each product we sell."""


@dataclass(frozen=True)
class Books:
    """One provider's truth: the effects of each transaction in order, and every card."""

    effects: Mapping[str, Sequence[Effect]]
    cards: Mapping[str, Mapping[str, Any]]


def judge(entries: Sequence[Entry], counters: Mapping[str, Counter], witness: Witness) -> None:
    """Blame every transaction that did not end, or about which gateway and provider disagree."""
    books = {provider_id: read_books(counter) for provider_id, counter in counters.items()}
    by_id = {entry.transaction_id: entry for entry in entries}
    for entry in entries:
        if entry.state not in ENDED:
            witness.blame(entry.transaction_id, f"never ended: {entry.state}")
        elif entry.ask is not None:
            effects = books[entry.provider].effects.get(entry.transaction_id, ())
            for sentence in (*_disagreements(entry, effects), *_promises_broken(entry, witness)):
                witness.blame(entry.transaction_id, sentence)
    for provider_id, book in books.items():
        for subject in book.effects:
            entry_there = by_id.get(subject)
            if entry_there is None or entry_there.ask is None:
                witness.blame(subject, f"{provider_id} moved money for what was never sent")
    for provider_id in (ELECTRUM, GR4VY):
        for sentence in _money_lost(entries, provider_id, books[provider_id]):
            witness.blame("", sentence)


def read_books(counter: Counter) -> Books:
    """Return a provider's books by our transaction ids."""
    cards = {
        str(card["number"]): card for card in cast("Sequence[Mapping[str, Any]]", counter.simulator.cards())
    }
    effects: dict[str, list[Effect]] = defaultdict(list)
    for effect in cast("Sequence[Effect]", counter.simulator.effects()):
        effects[_subject_of(counter, cards, effect)].append(effect)
    return Books(effects=effects, cards=cards)


def _subject_of(counter: Counter, cards: Mapping[str, Mapping[str, Any]], effect: Effect) -> str:
    named = str(effect["transaction"])
    if isinstance(counter.simulator, Attributed):
        return counter.simulator.buyers[named]
    if counter.provider_id == GATEPAY:
        # A create carries nothing of ours but the title, which our callers make the transaction's id.
        return str(cards[named]["labels"]["title"])
    return named


def _disagreements(entry: Entry, effects: Sequence[Effect]) -> Iterator[str]:
    kinds = Count(str(effect["kind"]) for effect in effects)
    asked = _KIND[entry.operation]
    told = f"{entry.state}, but at the provider {dict(kinds)}"
    if kinds[asked] > 1:
        yield f"{asked} happened {kinds[asked]} times"
    if kinds["confirm"] > 1 or (kinds["confirm"] and kinds["reverse"]):
        yield f"confirmed and reversed: {dict(kinds)}"
    if entry.state in _NOTHING and kinds:
        yield told
    if entry.state is State.CONFIRMED:
        needed = {asked: 1, "confirm": 1} if entry.provider == ELECTRUM else {asked: 1}
        if kinds != Count(needed):
            yield told
        elif entry.operation is not Operation.REPLACE and _moved(
            effects, "confirm" if entry.provider == ELECTRUM else asked
        ) != _final_minor(entry):
            yield f"confirmed for {_final_minor(entry)}, but at the provider for another amount"
    if entry.state is State.REVERSED and kinds:
        yield from _reversal_disagreements(entry, effects, told)
    if entry.state is State.UNRESOLVED and not why_unresolved(entry):
        yield f"unresolved without need: {entry.evidence}"


def _promises_broken(entry: Entry, witness: Witness) -> Iterator[str]:
    """Compare what was decided with what callers were promised."""
    approved = entry.outcome.approved if entry.outcome else None
    if entry.advice is None or approved is None:
        return
    decided = entry.advice.amount or approved
    for kind, promised in witness.promises[entry.transaction_id]:
        if (kind, promised) != (entry.advice.kind, decided):
            yield f"a {kind} of {promised} was promised, and a {entry.advice.kind} of {decided} decided"


def _reversal_disagreements(entry: Entry, effects: Sequence[Effect], told: str) -> Iterator[str]:
    kinds = Count(str(effect["kind"]) for effect in effects)
    asked = _KIND[entry.operation]
    deletes = entry.ask.quantity if isinstance(entry.ask, Issue) else 1
    if kinds != Count({asked: 1, "reverse": deletes}):
        yield told
        return
    part = entry.advice.amount if entry.advice else None
    back = part.amount_minor if part else _moved(effects, asked)
    if _moved(effects, "reverse") != back:
        yield f"reversed {back}, but at the provider {_moved(effects, 'reverse')}"


def _moved(effects: Sequence[Effect], kind: str) -> int:
    return sum(int(effect["amount_minor"]) for effect in effects if effect["kind"] == kind)


def _final_minor(entry: Entry) -> int:
    """Return what a confirmed transaction came to, in the provider's own minor units."""
    final = entry.advice.amount if entry.advice else None
    approved = entry.outcome.approved if entry.outcome else None
    money = final or approved
    minor = money.amount_minor if money else 0
    if isinstance(entry.ask, Issue):
        return minor * entry.ask.quantity * (10_000 if entry.provider == GATEPAY else 1)
    return minor


def why_unresolved(entry: Entry) -> str:
    """Return why a person must look, where the provider's own means allow nothing else; else nothing."""
    for provider_id, is_so, reason in _REASONS:
        if entry.provider == provider_id and is_so(entry):
            return reason
    return ""


def _says(words: str) -> Callable[[Entry], bool]:
    return lambda entry: words in entry.evidence


def _has_no_cards(entry: Entry) -> bool:
    return entry.outcome is None or not entry.outcome.issued_cards


_REASONS: Sequence[tuple[str, Callable[[Entry], bool], str]] = (
    (ELECTRUM, _says("CARD_VOIDED"), "electrum refuses the advice because the card was voided meanwhile"),
    (ELECTRUM, _says("does not know"), "electrum does not know any more what it approved"),
    (
        ELECTRUM,
        _says("an earlier copy of this reversal"),
        "electrum knows a reversal that may have come too early",
    ),
    (
        ELECTRUM,
        _says("has had this advice before"),
        "electrum had an advice that was tried again",
    ),
    (
        GR4VY,
        lambda entry: isinstance(entry.ask, Activate),
        "gr4vy cannot be asked what became of an activation",
    ),
    (GR4VY, _says("the refund is failed"), "gr4vy refused the refund for good"),
    (GR4VY, _says("another amount"), "gr4vy said it refunded another amount"),
    (JEUDIMERCI, _has_no_cards, "jeudimerci named no card, and its list proves nothing"),
    (GATEPAY, _has_no_cards, "gatepay named no card, so nothing can be asked"),
)


def _money_lost(entries: Sequence[Entry], provider_id: str, books: Books) -> Iterator[str]:
    """Fold what every transaction came to into the opening balances, and compare with the cards."""
    expected: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    doubtful: set[str] = set()
    for entry in entries:
        if entry.ask is None or entry.provider != provider_id:
            continue
        if entry.state is State.UNRESOLVED:
            doubtful |= {card.number.reveal() for card in entry.ask.cards if card.number}
        for number, minor in _deltas(entry, books.effects.get(entry.transaction_id, ())):
            book, available = expected[number]
            expected[number] = (book + minor, available + minor)
    for number, card in books.cards.items():
        book, available = expected[number]
        want = (card["opening_book_minor"] + book, card["opening_available_minor"] + available)
        have = (card["book_minor"], card["available_minor"])
        if number not in doubtful and want != have:
            yield f"{provider_id}'s card ..{number[-4:]} holds {have}, and should hold {want}"


def _deltas(entry: Entry, effects: Sequence[Effect]) -> Iterator[tuple[str, int]]:
    """Return what a transaction that ended adds to each card, by what was asked and how it ended."""
    stands = _standing_minor(entry)
    numbers = [card.number.reveal() for card in entry.ask.cards if card.number] if entry.ask else []
    match entry.ask:
        case Redeem():
            yield numbers[0], -stands
        case Load():
            yield numbers[0], stands
        case Activate() if entry.state is State.CONFIRMED:
            product = entry.ask.product.product_id if entry.ask.product else ""
            yield numbers[0], stands + _STARTING_MINOR.get(product, 0)
        case Transfer():
            yield numbers[0], -stands
            yield numbers[1], stands
        case Replace() if entry.state is State.CONFIRMED:
            whole = _moved(effects, "replace")
            yield numbers[0], -whole
            yield numbers[1], whole


def _standing_minor(entry: Entry) -> int:
    """Return the part of a transaction's amount that was left standing."""
    if entry.state is State.CONFIRMED:
        return _final_minor(entry)
    part = entry.advice.amount if entry.advice else None
    approved = entry.outcome.approved if entry.outcome else None
    if entry.state is State.REVERSED and part and approved:
        return approved.amount_minor - part.amount_minor
    return 0


_KIND: Mapping[Operation, str] = {operation: names_of(operation).method for operation in Operation}
