"""The settings of who may call: how callers sign in, and what each may do. The checking is in `access`."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from giftcard_adapters.bounds import SpanSeconds
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.kms.settings import Text
from giftcard_gateway.ledger.tenants import DEFAULT_TENANT

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"
]
"""Signatures by a private key only: a shared secret would let each who checks a token make one."""
CallerName = Annotated[
    str,
    msgspec.Meta(
        # Names are told in logs and the audit: one that is an API key was put in the wrong place.
        pattern=r"^(?!gck_)[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$",
        description="a name of up to 128 letters, digits and . _ : / @ + -, and no API key",
    ),
]


class Scope(StrEnum):
    """What a caller may do; `protos/giftcard/v1/scope.proto` says which call needs which."""

    MONEY = "giftcard.money"
    READ = "giftcard.read"
    SECRETS = "giftcard.secrets"
    VAULT = "giftcard.vault"
    REPORTS = "giftcard.reports"
    OPERATE = "giftcard.operate"
    TENANTS = "giftcard.tenants"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may do, and with what; a list that is left out is of everything."""

    name: CallerName
    """Told in logs."""
    scopes: tuple[Scope, ...]
    tenant: CallerName = DEFAULT_TENANT
    merchants: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """[access.issuers.ID]: whose bearer tokens (JWT) are taken, and where in them stands what they allow."""

    issuer: Text
    """The `iss` of its tokens, to the letter."""
    audience: Text
    """What must be in their `aud`."""
    jwks_file: str | None = None
    jwks_url: str | None = None
    """Where its public keys are: one of the two."""
    ca_file: str | None = None
    """PEM file of authorities to trust for `jwks_url`, instead of the system's."""
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256")
    cache_s: SpanSeconds = 300.0
    """How long keys, and tokens once checked, are trusted without looking again."""
    leeway_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 30.0
    """How far its clock may be from ours."""
    tenant: CallerName = DEFAULT_TENANT
    """The tenant of its tokens, unless `tenant_claim` names where it stands."""
    name_claim: str = "sub"
    scope_claim: str = "scope"
    tenant_claim: str = ""
    merchants_claim: str = ""
    providers_claim: str = ""
    operations_claim: str = ""
    """Named claims must be there: a token without one of them is refused."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """[access]: how callers sign in. With none of the three, whoever reaches the port may do everything."""

    api_keys: bool = False
    """Whether keys made by `giftcard-gateway keys create` are taken."""
    issuers: dict[str, Issuer] = {}
    certificates: dict[str, Grant] = {}
    """By a subject alternative name of the client's certificate; needs `server.tls.client_ca_file`."""
    open_reflection: bool = False
    """Whether reflection answers callers who did not sign in."""
    second_person: bool = False
    """Whether an end by hand needs another identity's approval."""
    second_person_s: SpanSeconds = 86_400.0
    """How long it waits for that, in seconds."""

    @property
    def reviews_within(self) -> timedelta | None:
        """Return how long an end by hand waits for its second person; None where it needs none."""
        return timedelta(seconds=self.second_person_s) if self.second_person else None

    @property
    def is_on(self) -> bool:
        """Whether callers have to sign in."""
        return bool(self.api_keys or self.issuers or self.certificates)

    @property
    def takes_credentials(self) -> bool:
        """Whether callers can sign in by a key or a token, as people do on the console."""
        return bool(self.api_keys or self.issuers)
