"""What must hold when a round is over, in plain Python over what was asked, told, and booked.

The gateway is asked over gRPC and the providers over `/_sandbox/`, as anybody could; no code of the
gateway takes part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict, cast

import httpx

from giftcard import v1
from tests.crash.processes.sales import Sale, State, state_of
from tests.patience import PATIENCE_S

STARTING_MINOR = 10_000
"""What Electrum's simulator puts on a card of the product we sell."""
_REACH: Mapping[State, frozenset[State]] = {
    "APPROVED": frozenset({"CONFIRMED", "REVERSED"}),
    "DECLINED": frozenset({"DECLINED"}),
    "FAILED": frozenset({"FAILED"}),
    "CONFIRMING": frozenset({"CONFIRMED"}),
    "CONFIRMED": frozenset({"CONFIRMED"}),
    "REVERSING": frozenset({"REVERSED"}),
    "REVERSED": frozenset({"REVERSED"}),
    "PENDING": frozenset({"CONFIRMED", "REVERSED", "DECLINED", "FAILED"}),
}
"""How what a caller was told may have ended. UNRESOLVED is nowhere: both providers can end every unknown."""
ENDED = frozenset({"CONFIRMED", "REVERSED", "DECLINED", "FAILED"})


class Change(TypedDict):
    """What an effect did to one card."""

    card: str
    book_minor: int
    available_minor: int


class Effect(TypedDict):
    """One line of `/_sandbox/effects`."""

    kind: str
    transaction: str
    changes: list[Change]


class BookedCard(TypedDict):
    """One line of `/_sandbox/cards`."""

    number: str
    book_minor: int
    available_minor: int
    opening_book_minor: int
    opening_available_minor: int


Balance = tuple[int, int]
"""Book and available, in minor units."""


@dataclass
class Books:
    """What the providers did, all of them together."""

    effects: Mapping[str, Sequence[Effect]]
    """By our transaction id, in order."""
    cards: Sequence[BookedCard]


@dataclass
class Case:
    """One sale, what the gateway says became of it, and what the provider did."""

    sale: Sale
    transaction: v1.Transaction | None
    effects: Sequence[Effect]
    kinds: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        """Count the effects."""
        self.kinds = Counter(effect["kind"] for effect in self.effects)

    @property
    def state(self) -> State:
        """Where it stands; ABSENT when the gateway does not know it."""
        return "ABSENT" if self.transaction is None else state_of(self.transaction)

    @property
    def net(self) -> Mapping[str, Balance]:
        """What all its effects together did to each card they changed."""
        net: dict[str, Balance] = defaultdict(lambda: (0, 0))
        for change in (change for effect in self.effects for change in effect["changes"]):
            book, available = net[change["card"]]
            net[change["card"]] = book + change["book_minor"], available + change["available_minor"]
        return {card: minor for card, minor in net.items() if minor != (0, 0)}


async def read_books(urls: Iterable[str]) -> Books:
    """Ask every provider what it did."""
    effects: dict[str, list[Effect]] = defaultdict(list)
    cards: list[BookedCard] = []
    async with httpx.AsyncClient(timeout=PATIENCE_S) as asking:
        for url in urls:
            told = (await asking.get(f"{url}/_sandbox/effects")).raise_for_status().json()
            for effect in cast("list[Effect]", told["effects"]):
                effects[effect["transaction"]].append(effect)
            cards += (await asking.get(f"{url}/_sandbox/cards")).raise_for_status().json()["cards"]
    return Books(effects, cards)


def judge(
    sales: Sequence[Sale], transactions: Mapping[str, v1.Transaction], books: Books, asked: Sequence[str]
) -> Iterator[str]:
    """Return a sentence for everything that does not hold."""
    for sale in sales:
        case = Case(sale, transactions.get(sale.transaction_id), books.effects.get(sale.transaction_id, ()))
        for sentence in (*_promises(case), *_effects(case), *_money(case), *_sendings(case, asked)):
            yield f"{sale}, {case.state}, {dict(case.kinds)}: {sentence}"
    known = {sale.transaction_id for sale in sales}
    for transaction_id in books.effects.keys() - known:
        yield f"{transaction_id}: money moved that nobody asked for"
    yield from _balances(books)


def _promises(case: Case) -> Iterator[str]:
    """What callers were told holds (rules 1, 6 and 7)."""
    if case.transaction is None:
        if case.sale.told:
            yield "forgotten"
        return
    if case.state not in ENDED:
        yield "it did not end"
    for told in case.sale.told:
        if case.state not in _REACH[told]:
            yield f"the caller was told {told}"


def _effects(case: Case) -> Iterator[str]:
    """The provider did what the gateway says, each thing once (rules 3, 5, 8 and 17)."""
    done = case.sale.operation
    is_two_phase = case.sale.currency == "ZAR"
    never: Counter[str] = Counter()
    allowed = {
        "CONFIRMED": [Counter({done: 1, "confirm": 1} if is_two_phase else {done: 1})],
        "REVERSED": [never, Counter({done: 1, "reverse": 1})],
        "DECLINED": [never],
        "FAILED": [never],
        "ABSENT": [never],
    }
    if case.kinds not in allowed.get(case.state, []):
        yield "the provider did something else"


def _money(case: Case) -> Iterator[str]:
    """What was moved is what was asked for and confirmed, and nothing else (rule 12)."""
    sale = case.sale
    if case.state != "CONFIRMED" or case.transaction is None:
        if case.net:
            yield "money stayed moved"
        return
    final = _minor(case.transaction.confirmed_amount) if sale.amount_minor else 0
    if final not in {sale.amount_minor, sale.final_minor}:
        yield f"{final} was made final"
    wanted: dict[str, Balance] = {}
    match sale.operation, sale.cards:
        case "load", [card]:
            wanted = {card: (final, final)}
        case "activate", [card]:
            wanted = {card: (final + STARTING_MINOR, final + STARTING_MINOR)}
        case "transfer", [source, target]:
            wanted = {source: (-final, -final), target: (final, final)}
        case "replace", [old, new]:
            moved, _ = case.net.get(new, (0, 0))
            wanted = {old: (-moved, -moved), new: (moved, moved)} if moved else {}
        case "redeem", [card]:
            wanted = {card: (-final, -final)}
    if case.net != wanted:
        yield "another amount was moved"


def _sendings(case: Case, asked: Sequence[str]) -> Iterator[str]:
    """The request itself went out once at most, where the provider cannot tell a repeat (rule 3)."""
    end = f"/{case.sale.transaction_id} "
    if case.sale.currency == "ZAR" and (count := sum(line.endswith(end) for line in asked)) > 1:
        yield f"the request was sent {count} times"


def _balances(books: Books) -> Iterator[str]:
    """Every card holds what it opened with and what was done to it since."""
    expected: dict[str, Balance] = {
        card["number"]: (card["opening_book_minor"], card["opening_available_minor"]) for card in books.cards
    }
    for change in (
        change for all_of in books.effects.values() for each in all_of for change in each["changes"]
    ):
        book, available = expected[change["card"]]
        expected[change["card"]] = book + change["book_minor"], available + change["available_minor"]
    for card in books.cards:
        if expected[card["number"]] != (card["book_minor"], card["available_minor"]):
            yield f"card ..{card['number'][-4:]} does not hold what was done to it"


def _minor(money: object) -> int:
    units, nanos = int(getattr(money, "units", 0)), int(getattr(money, "nanos", 0))
    return units * 100 + nanos // 10_000_000
