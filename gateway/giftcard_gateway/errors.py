"""The errors callers can get, and those an operator can mend, as two trees.

    GatewayError
    ├── InvalidRequest          fields are missing or malformed; names every one
    ├── NoRoute                 no rule routes this card
    ├── CrossProvider           two cards of one transaction route to different providers
    ├── ProviderNotFound        no provider is configured under this id
    ├── OperationUnsupported    the provider has no such operation
    ├── ReversalUnsupported     the provider knows no way back
    ├── PartialUnsupported      the provider can only do all of it
    ├── TransactionIdReused     the same id with other content
    ├── StateConflict           the transaction is in another state
    ├── TransactionReversed     the transaction was reversed
    ├── TransactionNotFound     no such transaction
    ├── CardNotFound            the provider does not tell of such a card
    ├── ExportNotFound          the provider has no such export
    ├── ReadRefused             the provider said no to a read
    ├── CredentialsInvalid      nobody knows who asks
    ├── ScopeMissing            the caller may not do this
    ├── OutOfReach              the caller may not touch this
    ├── IssuerUnreachable       credentials cannot be checked now; surely not sent
    ├── RateLimited             one caller asks too often; surely not sent
    ├── Overloaded              too much work; surely not sent
    ├── ProviderUnreachable     the provider is down; surely not sent
    │   └── ProviderPaused      an operator paused the provider; surely not sent
    ├── ProviderTimeout         a read got no answer
    ├── ProviderFailed          a read got an answer nobody can read
    ├── SealKeyMissing          this process lacks the key of a transaction; another may have it
    ├── RecordAltered           a transaction is not what was last written down
    ├── CellNotServed           another process serves the tenant's cell; surely not sent
    ├── JournalUnavailable      nothing can be written down; surely not sent
    └── ShuttingDown            this process takes no new work; surely not sent

A class's docstring is its default message, and `rpc.status` maps each class to one status code.

    OperatorError               the command line says the text and exits with 2
    ├── cli.faults.CannotDo     the arguments ask for what cannot be done
    ├── config.ConfigError      settings
    ├── journal.contract        JournalClosed, JournalBusy, SchemaUnknown
    ├── journal.keys_in_use     KeysUnknown
    ├── process.at_home         TenantMoved, CellUnread
    ├── process.sandbox.FolderUnusable
    ├── process.workers.WorkerFailed
    └── rpc.server.PortTaken

Nothing here holds card data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from giftcard_adapters.values.declines import Decline


class OperatorError(Exception):
    """The program cannot do its work until a person mends something; the text says what."""

    @property
    def sentences(self) -> Sequence[str]:
        """What to tell a person, a sentence for each thing to mend."""
        return (str(self),)


class GatewayError(Exception):
    """The gateway refuses this."""

    reason: ClassVar[str]
    """The name in `error_reason.proto`."""
    retry_after_s: float | None = None
    """When asking again makes sense, in seconds; None when it does not by itself."""
    budget: str = ""
    """The setting of the limit that was used up, for whoever runs the gateway; empty where none was."""

    def __init__(self, message: str = "", **metadata: str) -> None:
        """Default the message to the class docstring; `metadata` goes into the ErrorInfo."""
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.metadata = metadata


Refusal = TypeVar("Refusal", bound=GatewayError)


def used_up(refusal: Refusal, budget: str) -> Refusal:
    """Return a refusal that knows which limit was used up, by its setting."""
    refusal.budget = budget
    return refusal


class InvalidRequest(GatewayError):
    """Fields are missing or malformed."""

    reason = "FIELD_INVALID"

    def __init__(self, violations: Sequence[tuple[str, str]]) -> None:
        """Keep every (field path, what is wrong)."""
        self.violations = tuple(violations)
        super().__init__("; ".join(f"{field}: {fault}" for field, fault in violations))


class NoRoute(GatewayError):
    """No rule routes this card; name a provider, or ask the operator for a route."""

    reason = "NO_ROUTE"


class CrossProvider(GatewayError):
    """The two cards route to different providers; one transaction can only have one."""

    reason = "CROSS_PROVIDER"


class ProviderNotFound(GatewayError):
    """No provider is configured under this id; ListProviders tells which are."""

    reason = "PROVIDER_NOT_FOUND"


class OperationUnsupported(GatewayError):
    """The provider does not offer this operation; ListProviders tells what it offers."""

    reason = "OPERATION_UNSUPPORTED"


class ReversalUnsupported(GatewayError):
    """The provider knows no way back for this operation."""

    reason = "REVERSAL_UNSUPPORTED"


class PartialUnsupported(GatewayError):
    """The provider can only take the whole amount here."""

    reason = "PARTIAL_UNSUPPORTED"


class TransactionIdReused(GatewayError):
    """The transaction_id was used with other content."""

    reason = "TRANSACTION_ID_REUSED"


class StateConflict(GatewayError):
    """The transaction is not in a state that allows this."""

    reason = "STATE_CONFLICT"


class TransactionReversed(GatewayError):
    """The transaction was reversed; start a new one under a new id."""

    reason = "TRANSACTION_REVERSED"


class TransactionNotFound(GatewayError):
    """No transaction has this id."""

    reason = "TRANSACTION_NOT_FOUND"


class CardNotFound(GatewayError):
    """The provider does not tell of such a card."""

    reason = "CARD_NOT_FOUND"


class ExportNotFound(GatewayError):
    """The provider has no such export, or no longer."""

    reason = "EXPORT_NOT_FOUND"


class ReadRefused(GatewayError):
    """The provider said no."""

    reason = "PROVIDER_REFUSED"

    def __init__(self, decline: Decline) -> None:
        """Say why, in our word, and in the provider's code and text."""
        super().__init__(
            f"The provider said no: {decline.reason.value.replace('_', ' ').lower()}.",
            decline_reason=decline.reason.value,
            provider_code=decline.provider_code,
            provider_text=decline.provider_text,
        )
        self.decline = decline


class CredentialsInvalid(GatewayError):
    """Sign in; `cause` says what is wrong in a word, and no text holds what was shown."""

    reason = "CREDENTIALS_INVALID"

    def __init__(self, message: str, *, cause: str) -> None:
        """Say what is wrong, in a sentence and in a word."""
        super().__init__(message, cause=cause)
        self.cause = cause


class ScopeMissing(GatewayError):
    """You may not do this; metadata `scope` names what is missing."""

    reason = "SCOPE_MISSING"


class OutOfReach(GatewayError):
    """You may not touch this merchant, provider or operation; nothing was sent."""

    reason = "OUT_OF_REACH"


class IssuerUnreachable(GatewayError):
    """Credentials cannot be checked now, because the issuer's keys cannot be read; nothing was sent."""

    reason = "ISSUER_UNREACHABLE"
    retry_after_s = 5.0


class RateLimited(GatewayError):
    """You ask too often; nothing was sent."""

    reason = "RATE_LIMITED"
    retry_after_s = 1.0


class Overloaded(GatewayError):
    """Too much work is waiting already; nothing was sent."""

    reason = "OVERLOADED"
    retry_after_s = 1.0


class ProviderUnreachable(GatewayError):
    """The provider cannot be reached; nothing was sent."""

    reason = "PROVIDER_UNREACHABLE"
    retry_after_s = 5.0


class ProviderPaused(ProviderUnreachable):
    """The operator has paused this provider; nothing was sent."""

    reason = "PROVIDER_PAUSED"
    retry_after_s = 30.0


class ProviderTimeout(GatewayError):
    """The provider did not answer in time; this was a read, so asking again is safe."""

    reason = "PROVIDER_TIMEOUT"


class ProviderFailed(GatewayError):
    """The provider failed, or its answer cannot be read; this was a read, so asking again is safe."""

    reason = "PROVIDER_FAILED"
    retry_after_s = 1.0


class JournalUnavailable(GatewayError):
    """Nothing can be written down at the moment, so nothing was sent."""

    reason = "JOURNAL_UNAVAILABLE"
    retry_after_s = 2.0


class CellNotServed(GatewayError):
    """The tenant is not served here, or is being moved; nothing was sent, ask in its cell."""

    reason = "CELL_NOT_SERVED"
    retry_after_s = 5.0


class SealKeyMissing(GatewayError):
    """The key of this transaction is not on this process; nothing was sent, and another may have it."""

    reason = "SEAL_KEY_MISSING"
    retry_after_s = 2.0


class RecordAltered(GatewayError):
    """The transaction is not as it was last written down; it is left alone until a person has looked."""

    reason = "RECORD_ALTERED"


class ShuttingDown(GatewayError):
    """The process takes no new work; nothing was sent, ask another."""

    reason = "SHUTTING_DOWN"
    retry_after_s = 1.0
