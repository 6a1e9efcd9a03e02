"""An issuer's public keys (JWKS), from a file or a URL, kept for a while and read again when a key is new.

What cannot be read leaves the keys as they were, for a day at most. Nobody can make us ask more often than
every few seconds: meanwhile tokens that name keys nobody has are refused without asking.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from giftcard_gateway.errors import IssuerUnreachable

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.access import Issuer

_AGAIN_S = 5.0
"""How soon keys are read again because a token names a new one, or because they could not be read."""
_STALE_S = 24 * 3600.0
"""How long keys are trusted whose issuer does not answer."""
_TIMEOUT_S = 5.0
_LARGEST = 256 * 1024
_SHORTEST_RSA_BITS = 2048

PublicKey = RSAKey | ECKey | OKPKey
_KINDS: dict[str, type[PublicKey]] = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}
_log = logging.getLogger(__name__)


class Jwks:
    """The keys of one issuer."""

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: tuple[PublicKey, ...] | None = None
        self._read_s = self._tried_s = -_STALE_S
        self._reading = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    async def find(self, kid: object, algorithm: str) -> PublicKey | None:
        """Return the key a token names, None if the issuer has none such; raise IssuerUnreachable.

        A token that names no key is checked by the only one that fits its algorithm.
        """
        if self._age_s() >= self._issuer.cache_s:
            await self._read()
        found = self._choose(kid, algorithm)
        if found is None:
            await self._read()
            found = self._choose(kid, algorithm)
        if self._keys is None or self._age_s() > _STALE_S:
            raise IssuerUnreachable
        return found

    async def close(self) -> None:
        """Close the connection to the issuer."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _age_s(self) -> float:
        return self._clock.monotonic_s() - self._read_s

    def _choose(self, kid: object, algorithm: str) -> PublicKey | None:
        fitting = [key for key in self._keys or () if _fits(key, algorithm)]
        if kid is None:
            return fitting[0] if len(fitting) == 1 else None
        return next((key for key in fitting if key.kid == kid), None)

    async def _read(self) -> None:
        """Read the keys, unless that was tried a moment ago; who comes meanwhile waits for the same try."""
        async with self._reading:
            now_s = self._clock.monotonic_s()
            if now_s - self._tried_s < _AGAIN_S:
                return
            self._tried_s = now_s
            try:
                self._keys = _keys_of(await self._content())
            except (OSError, aiohttp.ClientError, TimeoutError, ValueError, TypeError, JoseError) as fault:
                # Their texts may quote what was read.
                extra = {"issuer": self._issuer.issuer, "error_type": type(fault).__qualname__}
                _log.warning("an issuer's keys cannot be read; those read before stay", extra=extra)
            else:
                self._read_s = now_s

    async def _content(self) -> bytes:
        if self._issuer.jwks_file is not None:
            return await asyncio.to_thread(Path(self._issuer.jwks_file).read_bytes)
        if self._session is None:
            context = ssl.create_default_context(cafile=self._issuer.ca_file)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=1),
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            )
        async with self._session.get(self._issuer.jwks_url or "", allow_redirects=False) as answer:
            if answer.status != 200:  # noqa: PLR2004 - the status for all is well
                raise ValueError("the issuer answered with another status than 200")
            content = await answer.content.read(_LARGEST + 1)
            while not answer.content.at_eof() and len(content) <= _LARGEST:
                content += await answer.content.read(_LARGEST)
            if len(content) > _LARGEST:
                raise ValueError("the issuer's keys are longer than any that are read")
            return content


def _keys_of(content: bytes) -> tuple[PublicKey, ...]:
    """Return the keys that can check a signature; those of kinds nobody here uses are left out."""
    listed = msgspec.json.decode(content, type=dict[str, Any])["keys"] if content else []
    keys: list[PublicKey] = []
    for one in listed:
        if not isinstance(one, dict) or one.get("kty") == "oct" or one.get("use", "sig") != "sig":
            continue
        try:
            key = KeySet.import_key_set({"keys": [one]}).keys[0]
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey) and not _is_weak(key):
            keys.append(key)
    if not keys:
        raise ValueError("no key can check a signature")
    return tuple(keys)


def _is_weak(key: PublicKey) -> bool:
    return isinstance(key, RSAKey) and key.public_key.key_size < _SHORTEST_RSA_BITS


def _fits(key: PublicKey, algorithm: str) -> bool:
    return isinstance(key, _KINDS[algorithm[:2]]) and key.alg in {None, algorithm}
