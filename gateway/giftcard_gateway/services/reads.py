"""Reads from a provider, with its failures as errors of the contract.

A read belongs to its caller: it is cancelled with them, and nothing of it is written down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import msgspec

from giftcard_adapters.errors import Invalid, NoAnswer, NotSent, Refused, TimedOut, Unsupported
from giftcard_adapters.scrub import holds, without
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_gateway.errors import (
    CardNotFound,
    GatewayError,
    InvalidRequest,
    OperationUnsupported,
    ProviderFailed,
    ProviderTimeout,
    ProviderUnreachable,
    ReadRefused,
)
from giftcard_gateway.ledger.card_secrets import secrets_of

if TYPE_CHECKING:
    from giftcard_adapters.contract import Provider
    from giftcard_adapters.values.cards import CardRef
    from giftcard_gateway.providers.connections import Connection, Connections
    from giftcard_gateway.rpc.call import RpcCall

_Result = TypeVar("_Result")

BALANCE = "balances"
"""The method that balances are read by, one or many."""


def reached(
    connections: Connections, provider_id: str, call: RpcCall, cards: Iterable[CardRef] = ()
) -> Connection:
    """Return a provider's connection; raise ProviderNotFound, or OutOfReach if the caller may not use it.

    The same for a stored card of a vault that is another tenant's.
    """
    connection = connections.get(provider_id)
    call.identity.demand_provider(connection.provider_id)
    call.identity.demand_cards(connection, cards)
    return connection


async def ask(
    connection: Connection,
    method: str,
    work: Callable[[Provider], Awaitable[_Result]],
    *,
    cards: Sequence[CardRef] = (),
    has_effect: bool = False,
) -> _Result:
    """Return what `work` gets from the provider's `method`; a refusal tells no secret of the `cards`.

    Raises OperationUnsupported where the provider has no such method, and what `told` raises.
    """
    admit(connection, method)
    with told(connection.provider_id, cards, has_effect=has_effect), connection.read():
        return await work(connection.provider)


def vault(connections: Connections, provider_id: str, call: RpcCall) -> Connection:
    """Return the connection of a provider whose vault is the caller's tenant's; raises as `reached` does."""
    connection = reached(connections, provider_id, call)
    call.identity.demand_account(connection)
    return connection


def admit(connection: Connection, method: str) -> None:
    """Raise, before anything is sent, when the provider lacks the read or should not be asked now."""
    connection.demand(method)
    connection.admit_read()


@contextmanager
def told(provider_id: str, cards: Sequence[CardRef] = (), *, has_effect: bool = False) -> Iterator[None]:
    """Translate an adapter's exceptions into errors for the caller, without a secret of the `cards`.

    With `has_effect` an answer that never came is ProviderTimeout whatever the reason, because the
    provider may have acted and nobody may repeat the call unasked.
    """
    try:
        yield
    except Invalid as fault:
        raise InvalidRequest(fault.violations) from None
    except Unsupported as fault:
        raise OperationUnsupported(str(fault), provider=provider_id) from None
    except Refused as fault:
        raise refusal_of(fault.decline, cards) from None
    except NotSent:
        raise ProviderUnreachable(provider=provider_id) from None
    except NoAnswer as fault:
        if has_effect:
            raise ProviderTimeout(
                "The provider gave no answer that can be read; it may have acted, so look first.",
                provider=provider_id,
            ) from None
        kind = ProviderTimeout if isinstance(fault, TimedOut) else ProviderFailed
        raise kind(provider=provider_id) from None


def refusal_of(decline: Decline, cards: Sequence[CardRef]) -> GatewayError:
    """Return the error for a provider's no to a read of the `cards`; it tells no secret of theirs (rule 16).

    Unknown cards all get the same one.
    """
    if decline.reason is DeclineReason.CARD_UNKNOWN:
        return CardNotFound()
    secrets = secrets_of(cards)
    code, text = (
        without(said, *(secret for secret in secrets if holds(said, secret)))
        for said in (decline.provider_code, decline.provider_text)
    )
    return ReadRefused(msgspec.structs.replace(decline, provider_code=code, provider_text=text))
