"""The contract of a provider adapter: its methods, and what it declares about each operation.

An operation is supported if the adapter has the method. The traits on the method declare how the
operation is confirmed, reversed, and ended when unknown. The capability table is computed from them.

Adapters are deterministic: the same operation gives the same bytes. They keep no state, never
retry, sleep, read a clock, make an id, log, or round money. They raise the errors of `errors`;
they let NotSent and NoAnswer pass, because the pipeline handles those.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from giftcard_adapters.bounds import WaitSeconds
from giftcard_adapters.calls import Call
from giftcard_adapters.values.advices import Acknowledgement, Advice
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import MoneyOperation, Operation
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.reads import (
    AccountQuery,
    AccountsExtract,
    CardView,
    ExportFile,
    Lookup,
    Offer,
    OfferSync,
    ProviderEvent,
    StoreCard,
    StoredCard,
    StoredCardPage,
    StoredCardQuery,
    Template,
    TicketQuery,
    TicketStatistics,
    Webhook,
    WebhookReply,
)
from giftcard_adapters.values.traits import Ending, Guarantee, OperationTraits

if TYPE_CHECKING:
    from giftcard_adapters.exchange import Exchange

_Method = TypeVar("_Method", bound=Callable[..., Any])


def traits(
    guarantee: Guarantee,
    unknown: Ending,
    **details: Any,  # noqa: ANN401 - the fields of OperationTraits, which checks them
) -> Callable[[_Method], _Method]:
    """Declare how an adapter's money method behaves; the arguments are those of OperationTraits."""
    declared = OperationTraits(guarantee=guarantee, unknown=unknown, **details)

    def mark(method: _Method) -> _Method:
        method.traits = declared  # type: ignore[attr-defined]  # functions take attributes; mypy cannot say so
        return method

    return mark


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of every adapter; an adapter adds its own. Secrets are of type Secret."""

    base_url: str
    timeout_s: WaitSeconds = 60.0
    """How long an answer is waited for, in seconds."""


class Provider:
    """One connection to one gift card company. Subclasses add the methods their provider has.

    Money methods, each `async def NAME(self, ask: TYPE) -> Outcome` under `@traits(...)`:
    `issue`, `activate`, `load`, `redeem`, `transfer`, `replace`, `void`.

    Of an operation whose guarantee is NATIVE the adapter also has `confirmation`; of NATIVE or
    COMPENSATED, `reversal`; of either, `deliver`. Of RESEND or FIND, `find`.

    The methods below only document and type the contract. A subclass supports exactly those that it
    overrides; see `has`.
    """

    settings_type: ClassVar[type[Settings]]
    """The struct this adapter's stanza is read into."""
    facts: ClassVar[str] = ""
    """What is special or assumed about this provider, in a sentence or two for operators."""
    balances_per_call: ClassVar[int] = 1
    """How many cards one `balances` call may name."""
    deletes_cards: ClassVar[bool] = False
    """Whether `delete_stored_card` ends the card itself, not only its place in the vault."""
    leaves_out: ClassVar[Mapping[str, str]] = {}
    """What callers may give and the provider has no place for, and why (rule 21).

    By the field's path, such as `basket` or `card.rank`, with its operation or read before it where it
    is left out there alone, such as `void.basket` or `confirm_redeem.tenders`. A path covers what is
    below it; `*` stands for any name.
    """

    leaves_out_of_answers: ClassVar[Mapping[str, str]] = {}
    """What the provider tells and callers are not told, and why.

    By the path in the provider's answer, in its own names, with the provider's operation before it where it
    is left out there alone, such as `lookupGiftcard.originator`. Patterns as in `leaves_out`.
    """

    @property
    def templates(self) -> Mapping[str, str]:
        """Return the path of each documented operation, as in `/cards/{id}`, by the name exchanges go under.

        Traces show it. What is not a constant stands in braces, and no query is there.
        """
        return {}

    def __init__(self, settings: Any, exchange: Exchange) -> None:  # noqa: ANN401 - each adapter's own type
        """Keep the settings and the exchange; a subclass also builds here what every call shares."""
        self.settings = settings
        self.exchange = exchange
        exchange.templates = self.templates

    def check(self, ask: MoneyOperation) -> None:
        """Refuse, before anything is written or sent, what this provider cannot take.

        Raises Invalid with every missing or misshapen field at once, or Unsupported. Pure; an
        adapter without such limits keeps this one.
        """

    def configured(self, declared: OperationTraits) -> OperationTraits:
        """Return an operation's traits as this connection's settings make them; as declared by default."""
        return declared

    def confirmation(self, ask: MoneyOperation, outcome: Outcome, advice: Advice) -> tuple[Call, ...]:
        """Write the calls that confirm `ask`, in order; pure, so that they can be stored.

        Raises Invalid for tenders the provider could not take, before anything is promised.
        """
        raise NotImplementedError

    def reversal(self, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> tuple[Call, ...]:
        """Write the calls that reverse `ask`; `outcome` is None or UNKNOWN when no answer was understood."""
        raise NotImplementedError

    async def deliver(self, call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        """Send one stored call of an advice that was written down `age_s` seconds ago.

        Called again with the same call until the receipt is final; must have one net effect. Past
        an idempotency window the adapter looks for its own earlier effect before sending again.
        """
        raise NotImplementedError

    async def find(self, ask: MoneyOperation, outcome: Outcome | None) -> Outcome:
        """Return what became of `ask`, without any effect; UNKNOWN if that cannot be told (yet).

        FAILED says that the provider surely has not done it as of now; DECLINED only that the provider
        said so of this very request. Raises Unfindable where no later look would show more.
        """
        raise NotImplementedError

    async def lookup(self, ask: Lookup) -> CardView:
        """Return everything the provider tells of one card; raise Refused when it says no."""
        raise NotImplementedError

    async def balances(self, cards: Sequence[CardRef], ask: Lookup) -> Sequence[CardView | Decline]:
        """Return the balances of up to `balances_per_call` cards in order, a Decline for a refused one.

        `ask` carries the lookup id, time and point of sale; its own card is not set.
        """
        raise NotImplementedError

    async def store_card(self, ask: StoreCard) -> StoredCard:
        """Put a card into the vault; raise Refused when the provider says no."""
        raise NotImplementedError

    async def get_stored_card(self, stored_card_id: str) -> StoredCard:
        """Return one stored card; raise Refused with CARD_UNKNOWN when there is none."""
        raise NotImplementedError

    async def list_stored_cards(self, query: StoredCardQuery) -> StoredCardPage:
        """Return one page of the vault."""
        raise NotImplementedError

    async def delete_stored_card(self, stored_card_id: str) -> None:
        """Take a card out of the vault; raise Refused with CARD_UNKNOWN when there is none."""
        raise NotImplementedError

    async def list_templates(self) -> Sequence[Template]:
        """Return the designs cards can be issued with."""
        raise NotImplementedError

    async def list_offers(self) -> Sequence[Offer]:
        """Return what cards can be bought of."""
        raise NotImplementedError

    async def sync_offers(self, offers: Sequence[Offer]) -> OfferSync:
        """Synchronise our offers with the provider's."""
        raise NotImplementedError

    async def extract_accounts(self, query: AccountQuery) -> AccountsExtract:
        """Extract accounts, and the id of the export they can be downloaded as."""
        raise NotImplementedError

    def download_export(
        self, export_id: str
    ) -> AbstractAsyncContextManager[tuple[ExportFile, AsyncIterator[bytes]]]:
        """Open an export: its metadata, and its bytes as a stream."""
        raise NotImplementedError

    async def ticket_statistics(self, query: TicketQuery) -> TicketStatistics:
        """Count tickets."""
        raise NotImplementedError

    def read_webhook(self, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Verify an event and read it; raise WebhookRejected unless it is authentic and fresh.

        WebhookUnreadable says that it is authentic, but nothing that can be read.

        Pure: the webhook carries the time it arrived.
        """
        raise NotImplementedError

    def webhook_reply(self) -> WebhookReply:
        """Return the response this provider expects once its event is stored."""
        return WebhookReply()


READS = (
    "lookup",
    "balances",
    "store_card",
    "get_stored_card",
    "list_stored_cards",
    "delete_stored_card",
    "list_templates",
    "list_offers",
    "sync_offers",
    "extract_accounts",
    "download_export",
    "ticket_statistics",
    "read_webhook",
)
"""The methods an adapter may have besides the money operations."""


def has(provider: Provider | type[Provider], method: str) -> bool:
    """Tell whether an adapter offers `method`, which it does if it overrides it."""
    kind = provider if isinstance(provider, type) else type(provider)
    return getattr(kind, method, None) is not getattr(Provider, method, None)


def traits_of(provider: Provider | type[Provider], operation: Operation) -> OperationTraits | None:
    """Return how an adapter does a money operation, or None when it does not.

    Of a class it is what the adapter declares, of a connection what its settings make of that.
    """
    method = getattr(provider, names_of(operation).method, None)
    declared = getattr(method, "traits", None)
    if not isinstance(declared, OperationTraits):
        return None
    return declared if isinstance(provider, type) else provider.configured(declared)
