"""The settings of a gateway, as values: what an operator can decide, and what holds if they do not.

Each struct is one table of `gateway.toml`, each field one key. How they are read and checked is in
the neighbouring modules. Durations are in seconds.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from giftcard_adapters.bounds import PauseSeconds, Places, SpanSeconds, WaitSeconds
from giftcard_adapters.contract import Settings as AdapterSettings
from giftcard_adapters.engine import Engine, PoolLimits, Tls
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.config.access import Access, CallerName
from giftcard_gateway.config.tls import ListenerTls
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.kms.settings import KmsId, Pkcs11Settings
from giftcard_gateway.ledger.tenants import DEFAULT_TENANT
from giftcard_gateway.providers.connections import PROVIDER_ID, Terms
from giftcard_gateway.providers.routing import Rule
from giftcard_gateway.seal import FIRST_HASH_KEY

Listen = Annotated[str, msgspec.Meta(pattern=r"^[^\s/]+:[0-9]{1,5}\Z", description="host:port")]
ProviderId = Annotated[
    str,
    msgspec.Meta(
        pattern=PROVIDER_ID,
        description="a lower-case name of up to 63 letters, digits and dashes",
    ),
]
Times = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
"""How often, in a second or in a row."""
DEFAULT_CELL = "default"
"""The cell that is [journal]."""
CellName = Annotated[
    str,
    msgspec.Meta(pattern=PROVIDER_ID, description="a lower-case name of up to 63 letters, digits and dashes"),
]
Bytes = Annotated[int, msgspec.Meta(ge=1024, le=64 * 1024 * 1024)]


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """[server]: where callers reach us, and how much of us they may take."""

    listen: Listen = "127.0.0.1:50051"
    tls: ListenerTls | None = None
    insecure: bool = False
    """Whether a listener that is not loopback may do without TLS or without anybody signing in."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of proxies in front: of a call from there, `x-forwarded-for` tells whose it is."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=128)] = 1
    """Processes that share the port; more than one needs a PostgreSQL journal."""
    max_message_bytes: Bytes = 1024 * 1024
    max_metadata_bytes: Bytes = 16 * 1024
    max_concurrent_calls: Places = 1024
    calls_at_once: Places = 256
    """How many calls are always worked on at once; more are let in, up to the number above, only while none
    of them waits for this process."""
    max_streams: Places = 512
    """Endless calls at once; they have places of their own."""
    max_calls_per_connection: Places = 256
    """What a connection is told it may have under way; a client that has more waits by itself."""
    max_connections: Places = 4096
    max_connection_idle_s: SpanSeconds = 900.0
    """How long a connection may have no call under way."""
    handshake_s: WaitSeconds = 10.0
    """How long a new connection may take to say what it speaks."""
    max_connection_age_s: Annotated[float, msgspec.Meta(ge=10, le=864000)] = 3600.0
    """How long a connection lives, so that callers find new replicas."""
    max_connection_age_grace_s: SpanSeconds = 120.0
    """How long its calls may then still take; longer than any provider may (rule 15)."""
    keepalive_s: SpanSeconds = 60.0
    """How long a connection may be silent before we ask whether anybody is there."""
    keepalive_timeout_s: WaitSeconds = 20.0
    min_ping_interval_s: WaitSeconds = 10.0
    """A caller that pings more often is disconnected."""
    lame_duck_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    """How long calls are still served after SIGTERM while health says NOT_SERVING; 0 for not at all."""
    drain_s: WaitSeconds = 30.0
    """How long calls in flight may take to end once we were told to stop."""
    watch_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    """How often the files of the configuration are looked at, to take what changed in them; 0 for never."""
    cell: str = ""
    """The cell that this process serves: default, or one of [cells.ID]; needed where there are such."""
    reflection: bool = True
    channelz: bool = False


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """[seal]: the keys card data is sealed with; each is 32 bytes in base64, or wrapped by a key service."""

    keys: dict[str, Secret]
    """Every key that may still be needed to open something, by its id."""
    active: str
    """The id of the key that seals what is new."""
    hash_key: Secret | None = None
    """The first of the keys that cards are found again by; its id is `first`."""
    hash_keys: dict[str, Secret] = {}
    """The later ones by id, as long as something was written under them."""
    do_without: tuple[str, ...] = ()
    """The ids of keys of either kind that nobody has any more: a start does not ask for them."""
    hash_active: str = FIRST_HASH_KEY
    """The id of the hash key that what is new is found by."""

    def key_bytes(self) -> dict[str, bytes]:
        """Return the keys as they are used, by id."""
        return {key_id: base64.b64decode(key.reveal()) for key_id, key in self.keys.items()}

    def hash_ring(self) -> dict[str, Secret]:
        """Return every hash key by id."""
        first = {} if self.hash_key is None else {FIRST_HASH_KEY: self.hash_key}
        return first | self.hash_keys

    def hash_key_bytes(self) -> dict[str, bytes]:
        """Return the hash keys as they are used, by id."""
        return {key_id: base64.b64decode(key.reveal()) for key_id, key in self.hash_ring().items()}

    def by_setting(self) -> dict[str, Secret]:
        """Return every key of either kind by the setting it stands in; a wrapped one is bound to that."""
        first = {} if self.hash_key is None else {"seal.hash_key": self.hash_key}
        keys = {f"seal.keys.{key_id}": key for key_id, key in self.keys.items()}
        return keys | first | {f"seal.hash_keys.{key_id}": key for key_id, key in self.hash_keys.items()}

    def with_keys(self, keys: Mapping[str, Secret]) -> Seal:
        """Return the same with other keys in the settings that are named as `by_setting` names them."""
        return msgspec.structs.replace(
            self,
            keys={one: keys.get(f"seal.keys.{one}", key) for one, key in self.keys.items()},
            hash_key=keys.get("seal.hash_key", self.hash_key),
            hash_keys={one: keys.get(f"seal.hash_keys.{one}", key) for one, key in self.hash_keys.items()},
        )


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """[telemetry]: what is logged. Traces and metrics follow the standard OTEL_* variables."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "text"] = "auto"
    """`auto` writes for people on a terminal, and JSON elsewhere."""
    prometheus: Listen | None = None
    """Where Prometheus scrapes the first worker; each further one has the next port."""


class Webhooks(msgspec.Struct, frozen=True, kw_only=True):
    """[webhooks]: where providers bring their events; nowhere unless `listen` is given."""

    listen: Listen | None = None
    tls: ListenerTls | None = None
    insecure: bool = False
    """Whether a listener that is not loopback may do without TLS, as behind a proxy that ends it."""
    max_body_bytes: Bytes = 256 * 1024
    body_timeout_s: WaitSeconds = 10.0
    """How long a sender may take to hand over an event."""


class Console(msgspec.Struct, frozen=True, kw_only=True):
    """[console]: the page on which people look after transactions; nowhere unless `listen` is given."""

    listen: Listen | None = None
    tls: ListenerTls | None = None
    origin: str = ""
    """Where browsers reach it if a proxy stands in front, such as https://console.example."""
    trace_url: str = ""
    """Where a trace is looked at, with `{trace_id}` in place of its id."""
    overdue_s: Annotated[float, msgspec.Meta(ge=1.0, le=86_400.0)] = 60.0
    """How long something may be owed before a person is shown it."""
    idle_s: Annotated[float, msgspec.Meta(ge=60.0, le=86_400.0)] = 900.0
    """How long somebody who signed in may do nothing; what a page reads by itself does not count."""
    session_s: Annotated[float, msgspec.Meta(ge=60.0, le=604_800.0)] = 28_800.0
    """How long somebody stays signed in at most."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """[limits]: what one caller may take of a process. Guesses are of absent cards, and of PINs."""

    calls_in_flight: Places = 512
    streams: Places = 64
    calls_per_s: Times = 2000
    money_per_s: Times = 500
    """Money operations asked for in a second; confirmations and reversals count as calls only."""
    guesses: Times = 100
    """Wrong guesses one caller may make at one provider in a row."""
    guess_every_s: PauseSeconds = 1.0
    """How long until one more is let through."""
    end_user_guesses: Times = 10
    """The same for one of a caller's end users, whom it names in the metadata `giftcard-end-user`."""
    end_user_guess_every_s: PauseSeconds = 60.0
    pin_guesses: Times = 10
    """Wrong PINs of one card, whoever sends them."""
    pin_guess_every_s: PauseSeconds = 600.0
    wrong_credentials: Times = 100
    """Wrong tokens and API keys from one machine in a row."""
    wrong_credential_every_s: PauseSeconds = 0.5
    ipv6_prefix: Annotated[int, msgspec.Meta(ge=32, le=128)] = 64
    """How many bits of an IPv6 address are one machine's network, which is counted as one."""


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """[routing]: which provider serves a card that names none; [[routing.rules]] are the rules."""

    default: str = ""
    rules: tuple[Rule, ...] = ()


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """[providers.ID]: one connection to one gift card company."""

    adapter: str
    """The adapter class, as module:Class, from any installed package."""
    settings: AdapterSettings
    """[providers.ID.settings]: the adapter's own keys, as its settings type has them."""
    enabled: bool = True
    """A provider switched off takes no new requests, and what it is owed is still delivered."""
    prefixes: tuple[Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,19}\Z", description="digits")], ...] = ()
    """Card-number prefixes it serves: short for a routing rule each."""
    tenant: CallerName = DEFAULT_TENANT
    """Whose the account is as a whole: reports, settlement, vault, and events of no known transaction."""
    labels: dict[str, str] = {}
    """Free words for people and dashboards."""
    engine: Engine = "own"
    limits: PoolLimits = PoolLimits()
    tls: Tls = Tls()
    terms: Terms = Terms()


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """[tenants."NAME"]: where a tenant is kept."""

    cell: str = DEFAULT_CELL
    """The cell its transactions are in; with a transaction in it, only `cells move` changes that."""
    leaving: bool = False
    """Whether it is refused in its cell too, while it is moved into another one."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `gateway.toml`."""

    seal: Seal
    providers: dict[ProviderId, Provider]
    kms: dict[KmsId, Pkcs11Settings] = {}
    server: Server = Server()
    journal: JournalSettings = JournalSettings()
    telemetry: Telemetry = Telemetry()
    limits: Limits = Limits()
    webhooks: Webhooks = Webhooks()
    console: Console = Console()
    routing: Routing = Routing()
    access: Access = Access()
    cells: dict[CellName, JournalSettings] = {}
    """[cells.ID]: further journals, each with what [journal] has. Once read, [journal]'s is among them."""
    tenants: dict[CallerName, Tenant] = {}

    @property
    def keys_at(self) -> JournalSettings:
        """Where API keys are kept: in the default cell, whichever is served."""
        return self.cells.get(DEFAULT_CELL, self.journal)

    def rules(self) -> tuple[Rule, ...]:
        """Return every routing rule: those written as rules, then those the providers' prefixes stand for."""
        short = [
            Rule(provider=provider_id, prefix=prefix)
            for provider_id, provider in self.providers.items()
            for prefix in provider.prefixes
        ]
        return (*self.routing.rules, *short)
