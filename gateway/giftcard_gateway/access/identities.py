"""Who calls, and what they may do and touch. Made once per call, by `signing_in`, and never changed.

A transaction that an identity may not touch answers as if it were not there. A request that names what it may
not touch is refused by name.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.values.operations import Operation
from giftcard_gateway.access.metadata import EVERY_TENANT, TENANT
from giftcard_gateway.config.access import Grant, Scope
from giftcard_gateway.errors import InvalidRequest, OutOfReach, ScopeMissing
from giftcard_gateway.ledger.tenants import DEFAULT_TENANT, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from giftcard_adapters.values.cards import CardRef
    from giftcard_adapters.values.operations import AnyOperation
    from giftcard_adapters.values.point_of_sale import PointOfSale
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.providers.connections import Connection


class SignIn(StrEnum):
    """How a caller proved who they are."""

    NONE = "none"
    TOKEN = "token"  # noqa: S105 - a word for a kind of credential
    API_KEY = "api_key"
    CERTIFICATE = "certificate"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """One caller: `name` may be logged; None among what they may touch means all there is."""

    name: str
    sign_in: SignIn
    scopes: frozenset[Scope]
    tenant: str = DEFAULT_TENANT
    merchants: frozenset[str] | None = None
    providers: frozenset[str] | None = None
    operations: frozenset[Operation] | None = None
    home: str = ""
    """The caller's own tenant, where `tenant` is another that it acts for; see `acting`."""
    person: str = ""
    """The person at a command line, as the command tells; whoever has the credentials could tell another."""
    why: str = ""
    """Why the person does it, for the audit."""

    def demand(self, scope: Scope) -> None:
        """Raise ScopeMissing, which names the scope, unless this identity has it."""
        if scope not in self.scopes:
            raise ScopeMissing(f"The scope {scope.value} is missing.", scope=scope.value)

    def demand_provider(self, provider_id: str) -> None:
        """Raise OutOfReach unless this identity may use a provider."""
        if self.providers is not None and provider_id not in self.providers:
            raise OutOfReach(provider=provider_id)

    def demand_operation(self, operation: Operation) -> None:
        """Raise OutOfReach unless this identity may use an operation."""
        if self.operations is not None and operation not in self.operations:
            raise OutOfReach(operation=operation.value)

    def demand_ask(self, ask: AnyOperation) -> None:
        """Raise OutOfReach unless this identity may ask for this operation at this merchant."""
        self.demand_operation(ask.operation)
        if (
            self.merchants is not None
            and (merchant_id := merchant_of(ask.point_of_sale)) not in self.merchants
        ):
            raise OutOfReach(
                "Name a merchant you may act for, in point_of_sale.merchant.merchant_id.",
                merchant_id=merchant_id,
            )

    def demand_merchant(self, till: PointOfSale | None) -> None:
        """Raise OutOfReach where a read names a merchant this identity may not act for."""
        merchant_id = merchant_of(till)
        if merchant_id and self.merchants is not None and merchant_id not in self.merchants:
            raise OutOfReach(merchant_id=merchant_id)

    def demand_account(self, connection: Connection) -> None:
        """Raise OutOfReach unless a provider's account as a whole, and its vault, are this tenant's."""
        self.demand_provider(connection.provider_id)
        if self.tenant != connection.tenant:
            raise OutOfReach(
                "What this provider keeps or reports for its account as a whole is another tenant's.",
                provider=connection.provider_id,
            )

    def demand_cards(self, connection: Connection, cards: Iterable[CardRef], *, store: bool = False) -> None:
        """Raise OutOfReach where a card is in a vault, or is to be, that is not this tenant's."""
        for card in cards:
            store = store or bool(card.stored_card_id)
        if store:
            self.demand_account(connection)

    def demand_whole(self, connection: Connection) -> None:
        """Raise OutOfReach unless this identity may see all that a provider reports, whoever it is about."""
        self.demand_account(connection)
        if self.is_of_some:
            raise OutOfReach(
                "This covers every merchant and operation; you may see some of them.",
                provider=connection.provider_id,
            )

    def may_touch(self, entry: Entry) -> bool:
        """Tell whether a transaction is within reach; a reversal that came first has no merchant, and is."""
        if not self.is_of(entry.tenant):
            return False
        if self.operations is not None and entry.operation not in self.operations:
            return False
        if entry.ask is None:
            return True
        if self.providers is not None and entry.provider not in self.providers:
            return False
        return self.merchants is None or merchant_of(entry.ask.point_of_sale) in self.merchants

    def may_reveal(self, entry: Entry) -> bool:
        """Tell whether an issue's secrets are shown again: to the very identity that asked for it.

        One from before identities shows them where nobody signs in, as it did then.
        """
        if Scope.SECRETS not in self.scopes or entry.tenant != self.tenant:
            return False
        return entry.asked_by == self.signature if entry.asked_by else self.sign_in is SignIn.NONE

    def key_of(self, transaction_id: str) -> str:
        """Return the key of the transaction that this identity's tenant calls by this id.

        Raises InvalidRequest for every tenant at once, because each has ids of its own.
        """
        if self.only_tenant is None:
            raise InvalidRequest([(TENANT, "must name one tenant here, because each has ids of its own")])
        return key_of(self.tenant, transaction_id)

    def is_of(self, tenant: str) -> bool:
        """Tell whether what belongs to a tenant is seen by this identity."""
        return self.only_tenant in {None, tenant}

    @property
    def only_tenant(self) -> str | None:
        """The tenant whose transactions this identity sees, None for every tenant's."""
        return None if self.tenant == EVERY_TENANT else self.tenant

    @property
    def signature(self) -> str:
        """Return what tells this identity from every other of its tenant, and stays when a key is renewed."""
        return f"{self.sign_in}:{self.name}"

    @property
    def is_of_some(self) -> bool:
        """Whether only some merchants' or operations' transactions are this identity's."""
        return self.merchants is not None or self.operations is not None

    @property
    def is_limited(self) -> bool:
        """Whether there is anything this identity may not touch."""
        return self.is_of_some or self.providers is not None


EVERYTHING = frozenset(Scope)
LOCAL = Identity(name="local", sign_in=SignIn.NONE, scopes=EVERYTHING)
"""Who calls a gateway on loopback where nobody signs in."""
ANONYMOUS = Identity(name="anonymous", sign_in=SignIn.NONE, scopes=EVERYTHING)
"""Who calls a gateway in the open whose operator said `insecure = true`."""


def identity_of(grant: Grant, sign_in: SignIn) -> Identity:
    """Return the identity that a grant describes."""
    return Identity(
        name=grant.name,
        sign_in=sign_in,
        tenant=grant.tenant,
        scopes=frozenset(grant.scopes),
        merchants=frozenset(grant.merchants) or None,
        providers=frozenset(grant.providers) or None,
        operations=frozenset(grant.operations) or None,
    )


def merchant_of(till: PointOfSale | None) -> str:
    """Return the merchant's id at a point of sale, empty where none is named."""
    return till.merchant.merchant_id if till and till.merchant else ""


def caller_of(identity: Identity, machine: str) -> str:
    """Return what limits count by: the identity, or the machine of a caller who did not sign in."""
    if identity.sign_in is SignIn.NONE:
        return machine
    return f"{identity.home or identity.tenant}/{identity.name}"
