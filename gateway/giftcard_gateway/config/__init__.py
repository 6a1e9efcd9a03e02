"""The configuration: `gateway.toml` and the environment, read into validated settings.

The only room that reads the environment and files of settings. Everything wrong is found at once
and said in sentences; what the settings are is `settings`, and nothing here opens anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import msgspec

from giftcard_adapters.values.secret import Secret
from giftcard_gateway.config import cells
from giftcard_gateway.config.checks import check
from giftcard_gateway.config.reading import Reading
from giftcard_gateway.config.settings import Server, Settings
from giftcard_gateway.config.sources import Table, Unavailable, override, read_file
from giftcard_gateway.config.tls import GRPC_SUITES, grpc_suites
from giftcard_gateway.errors import OperatorError
from giftcard_gateway.kms.settings import KmsId, Pkcs11Settings

__all__ = [
    "ConfigError",
    "Settings",
    "describe",
    "load",
    "load_kms",
    "load_named",
    "load_server",
    "pin_grpc",
    "read",
]

_CELL_URL = re.compile(r"cells\.[^.]+\.url")
_GRPC_VERBOSITY = "GRPC_VERBOSITY"


class ConfigError(OperatorError):
    """The configuration is wrong; `faults` names each fault in a sentence, without any secret."""

    def __init__(self, faults: list[str]) -> None:
        """Keep every fault, so that a person mends them in one go."""
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)
        self.files: tuple[Path, ...] = ()
        """Where `load_named` refused: every file that it depends on whether it is refused again."""

    @property
    def sentences(self) -> Sequence[str]:
        """Each fault."""
        return self.faults


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings in a file, overridden by `environ`; raise ConfigError with every fault."""
    return read(_table(path), environ, path.parent)


def load_kms(path: Path, environ: Mapping[str, str]) -> Mapping[str, Pkcs11Settings]:
    """Return the key services that a file names, as `load` does, whatever else is missing or wrong in it."""
    return cast("Mapping[str, Pkcs11Settings]", _part(path, environ, "kms", dict[KmsId, Pkcs11Settings]))


def load_server(path: Path, environ: Mapping[str, str]) -> Server:
    """Return [server] of a file, as `load` does, whatever is missing or wrong elsewhere in it."""
    return cast("Server", _part(path, environ, "server", Server))


def _part(path: Path, environ: Mapping[str, str], name: str, kind: object) -> object:
    """Return one table of a file, read as `kind`; no other is looked at."""
    table = _table(path)
    reading = Reading(environ, path.parent)
    override(table, environ)
    part = reading.value(kind, table.get(name, {}), name)
    if reading.faults:
        raise ConfigError(reading.faults)
    return part


def _table(path: Path) -> Table:
    try:
        return read_file(path)
    except Unavailable as fault:
        raise ConfigError([str(fault)]) from None


def read(table: Table, environ: Mapping[str, str], folder: Path) -> Settings:
    """Return the settings in raw tables, as `load` does; relative files lie in `folder`."""
    return _read(table, Reading(environ, folder), environ)


def load_named(path: Path, environ: Mapping[str, str]) -> tuple[Settings, tuple[Path, ...]]:
    """Return what `load` does, and every file that it depends on, the configuration's own first.

    A certificate that a listener of ours shows is not among them: it is read again by itself. Where it was
    looked at and refused, it is among those of the error.
    """
    reading = Reading(environ, path.parent)
    try:
        settings = _read(_table(path), reading, environ)
    except ConfigError as fault:
        fault.files = tuple(dict.fromkeys((path, *reading.files, *fault.files)))
        raise
    return settings, tuple(dict.fromkeys((path, *reading.files, *_wired(settings))))


def _wired(settings: Settings) -> Iterator[Path]:
    """Name the files of providers' certificates and authorities."""
    for tls in (one.tls for one in settings.providers.values()):
        yield from (Path(file) for file in (tls.ca_file, tls.certificate_file, tls.key_file) if file)


def _looked_at(settings: Settings) -> Iterator[Path]:
    """Name the files that listeners show and callers are known by."""
    for tls in (settings.server.tls, settings.webhooks.tls, settings.console.tls):
        yield from map(Path, tls.files.values() if tls else ())
    for issuer in settings.access.issuers.values():
        yield from (Path(file) for file in (issuer.jwks_file, issuer.ca_file) if file)


def _read(table: Table, reading: Reading, environ: Mapping[str, str]) -> Settings:
    reading.faults += override(table, environ)
    settings = reading.struct(Settings, table, "")
    if reading.faults or not isinstance(settings, Settings):
        raise ConfigError(reading.faults)
    if faults := check(settings, environ):
        refusal = ConfigError(faults)
        refusal.files = (*_wired(settings), *_looked_at(settings))
        raise refusal
    return cells.served(settings)


def pin_grpc(settings: Settings) -> None:
    """Put the TLS profile, and what its core may write, where gRPC reads them at its import.

    Workers inherit both. What the core writes to standard error by itself tells an operator nothing, but for
    handshakes that failed.
    """
    tls = settings.server.tls
    if tls is not None:
        os.environ[GRPC_SUITES] = grpc_suites(tls.profile)
    is_heard = tls is not None or settings.telemetry.log_level == "debug"
    if not is_heard:
        # Where it is heard, only what gRPC tells when nothing is set has the handshakes, and nothing besides.
        os.environ.setdefault(_GRPC_VERBOSITY, "NONE")


def describe(settings: Settings) -> str:
    """Return every setting in force, one `path = value` a line, with secrets hidden."""
    return "\n".join(_lines("", settings))


def _lines(path: str, value: object) -> Iterator[str]:
    if isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            yield from _lines(f"{path}.{field.name}" if path else field.name, getattr(value, field.name))
    elif isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _lines(f"{path}.{key}", below)
    elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        for place, below in enumerate(value):
            yield from _lines(f"{path}[{place}]", below)
    elif value is not None:
        yield f"{path} = {_shown(path, value)}"


def _shown(path: str, value: object) -> str:
    if (path == "journal.url" or _CELL_URL.fullmatch(path)) and isinstance(value, Secret):
        url = urlsplit(value.reveal())
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    if isinstance(value, Secret):
        return "(hidden)"
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown("", one) for one in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
