"""Checks settings against each other: names exist, keys have the right length, files are there.

Each check gives sentences, none of which repeats a secret.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import math
from collections.abc import Container, Iterator, Mapping

import msgspec

from giftcard_adapters.contract import traits_of
from giftcard_adapters.errors import SettingsError
from giftcard_adapters.stanza import find_adapter
from giftcard_adapters.values.money import MoneyError, exponent_of
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.config import cells, connections, console, exposure, otel
from giftcard_gateway.config.secret_files import exposed_of_postgresql
from giftcard_gateway.config.settings import DEFAULT_CELL, Seal, Settings
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.kms.contract import WrappedKey
from giftcard_gateway.providers.routing import Rule
from giftcard_gateway.seal import FIRST_HASH_KEY, KEY_BYTES

_LARGEST_PORT = 65535
_DAY_S = 24 * 3600.0


def check(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Return every way in which the settings contradict each other, or lie where others may read them."""
    return [
        *_listens(settings),
        *_proxies(settings),
        *exposure.faults(settings),
        *console.faults(settings),
        *_connection_age(settings),
        *cells.faults(settings),
        *_journals(settings, environ),
        *otel.faults(environ),
        *_seal(settings),
        *_routing(settings),
        *(
            fault
            for name, provider in settings.providers.items()
            for fault in connections.faults(name, provider)
        ),
    ]


def _listens(settings: Settings) -> Iterator[str]:
    addresses = {
        "server.listen": settings.server.listen,
        "webhooks.listen": settings.webhooks.listen,
        "console.listen": settings.console.listen,
        "telemetry.prometheus": settings.telemetry.prometheus,
    }
    seen: dict[str, str] = {}
    for path, address in addresses.items():
        if not address:
            continue
        if int(address.rpartition(":")[2]) > _LARGEST_PORT:
            yield f"{path} has a port above {_LARGEST_PORT}"
        other = seen.setdefault(address, path)
        if other != path and not address.endswith(":0"):
            yield f"{path} must differ from {other}: they speak different protocols"


def _proxies(settings: Settings) -> Iterator[str]:
    for place, network in enumerate(settings.server.trusted_proxies):
        path = f"server.trusted_proxies[{place}]"
        try:
            size = ipaddress.ip_network(network).prefixlen
        except ValueError:
            yield f"{path} must be a network, such as 10.0.0.0/24, or an address"
        else:
            if not size:
                yield f"{path} must not be everybody: whoever is trusted may say that he is any machine"


def _connection_age(settings: Settings) -> Iterator[str]:
    """A connection's age ends no call that may have been sent: gRPC would say UNAVAILABLE (rule 15)."""
    if not settings.providers:
        return
    name, longest = max(settings.providers.items(), key=lambda one: one[1].settings.timeout_s)
    if settings.server.max_connection_age_grace_s <= longest.settings.timeout_s:
        yield (
            f"server.max_connection_age_grace_s must be above {longest.settings.timeout_s:g}: a call may wait"
            f" so long for {name}, and the end of its connection would end it unheard"
        )


def _journals(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Check each cell's journal as if it were the only one; the workers are the served one's."""
    alone = msgspec.structs.replace(settings.server, workers=1)
    for name, (path, cell) in cells.every(settings).items():
        is_served = name == (settings.server.cell or DEFAULT_CELL)
        one = msgspec.structs.replace(settings, journal=cell, server=settings.server if is_served else alone)
        found = [*_journal(one), *exposed_of_postgresql(cell.url.reveal(), environ)]
        found += [fault for provider in settings.providers for fault in _retention(provider, one)]
        yield from (fault.replace("journal.", f"{path}.") for fault in found)


def _journal(settings: Settings) -> Iterator[str]:
    try:
        journal = open_journal(settings.journal)
    except SettingsError as fault:
        yield from fault.faults
    except ValueError as fault:
        yield f"journal.url {fault}"
    else:
        if not journal.is_shared and settings.server.workers > 1:
            yield (
                "server.workers must be 1 with a SQLite journal: one process writes it; PostgreSQL takes more"
            )


def _retention(name: str, settings: Settings) -> Iterator[str]:
    """Ids are remembered for longer than a provider takes reversals (rule 1), whatever `purge` is told."""
    adapter = find_adapter(settings.providers[name].adapter)
    traits = [traits for operation in Operation if (traits := traits_of(adapter, operation)) is not None]
    window_s = max((traits.reversal_window_s or 0.0 for traits in traits), default=0.0)
    if settings.journal.retention_days * _DAY_S <= window_s:
        days = math.ceil(window_s / _DAY_S)
        yield f"journal.retention_days must be above {days}: for so long {name} takes reversals"


def _seal(settings: Settings) -> Iterator[str]:
    seal = settings.seal
    if seal.active not in seal.keys:
        yield "seal.active must be the id of one of seal.keys"
    if not seal.hash_ring():
        yield "seal.hash_key is missing; it must be a text"
    elif seal.hash_active not in seal.hash_ring():
        yield (
            f"seal.hash_active must be the id of one of seal.hash_keys, or {FIRST_HASH_KEY} for seal.hash_key"
        )
    if FIRST_HASH_KEY in seal.hash_keys:
        yield f"seal.hash_keys must not have the id {FIRST_HASH_KEY}: it is that of seal.hash_key"
    for table, ids in (("seal.keys", seal.keys), ("seal.hash_keys", seal.hash_keys)):
        if any(not (key_id.isascii() and 0 < len(key_id) <= 64) for key_id in ids):  # noqa: PLR2004 -- said below
            yield f"{table} has an id that is not 1 to 64 ASCII characters"
    yield from check_keys(seal, settings.kms)


def check_keys(seal: Seal, services: Container[str]) -> Iterator[str]:
    """Give what is wrong with keys: each is one, and stands in one place, or two ids would count as two."""
    seen: dict[str, str] = {}
    for setting, key in seal.by_setting().items():
        if why := _no_key(key.reveal(), services):
            yield f"{setting} {why}"
        if (other := seen.setdefault(key.reveal(), setting)) != setting:
            yield f"{setting} must not be {other} as well"


def _no_key(text: str, services: Container[str]) -> str:
    """Return why a text is no key, in the clear or wrapped; nothing if it is one."""
    try:
        if wrapped := WrappedKey.read(text):
            return "" if wrapped.kms in services else "is wrapped by a key service that is not under kms"
    except ValueError:
        return "begins as a wrapped key and is none; `giftcard-gateway seal new-key` makes one"
    try:
        is_key = len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        is_key = False
    made = f"`openssl rand -base64 {KEY_BYTES}` makes one"
    return "" if is_key else f"must be {KEY_BYTES} bytes in base64; {made}"


def _routing(settings: Settings) -> Iterator[str]:
    if not settings.providers:
        yield "providers is empty; at least one [providers.ID] is needed"
    known = settings.providers
    if settings.routing.default and settings.routing.default not in known:
        yield f"routing.default names no provider; known are {', '.join(known)}"
    for place, rule in enumerate(settings.routing.rules):
        path = f"routing.rules[{place}]"
        yield from (f"{path}.{fault}" for fault in _rule(rule, settings))
    yield from _same_conditions(settings)


def _rule(rule: Rule, settings: Settings) -> Iterator[str]:
    known = settings.providers
    for key, name in (("provider", rule.provider), ("failover", rule.failover)):
        if name and name not in known:
            yield f"{key} names no provider; known are {', '.join(known)}"
    if not rule.provider:
        yield "provider must be a provider's id"
    if rule.prefix and not (rule.prefix.isascii() and rule.prefix.isdigit()):
        yield "prefix must be digits"
    if rule.currency and not _is_currency(rule.currency):
        yield "currency must be an ISO 4217 code such as EUR"
    if rule.failover and rule.operation is not Operation.ISSUE:
        yield "failover needs operation = ISSUE: a card that exists lives at one provider"
    if rule.failover and rule.failover == rule.provider:
        yield "failover must be another provider"


def _is_currency(code: str) -> bool:
    try:
        exponent_of(code)
    except MoneyError:
        return False
    return True


def _same_conditions(settings: Settings) -> Iterator[str]:
    seen: set[tuple[str, str, str, str, Operation | None]] = set()
    for rule in settings.rules():
        conditions = (rule.prefix, rule.merchant, rule.currency, rule.product, rule.operation)
        if conditions in seen:
            words = [str(one) for one in conditions if one]
            yield f"routing has two rules for the same conditions ({', '.join(words) or 'none'})"
        seen.add(conditions)
