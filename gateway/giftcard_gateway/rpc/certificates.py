"""Shows a listener's certificate, and reads it again when its files change, for the next handshake.

Connections that stand are not touched. Files that do not fit each other, as in the middle of a rotation,
leave the certificate as it was.
"""

from __future__ import annotations

import logging
import os
import ssl

import grpc

from giftcard_gateway.config.tls import SUITES, Chain, ChainUnusable, ListenerTls, read_chain
from giftcard_gateway.errors import OperatorError

_log = logging.getLogger(__name__)
_Stamp = tuple[tuple[int, ...], ...]


class TlsUnusable(OperatorError):
    """A listener has no certificate to show; the text says which file is wrong."""


class Certificates:
    """The certificate of one listener, as its files have it now."""

    def __init__(self, path: str, tls: ListenerTls) -> None:
        """Read the files of the table `path`; raise TlsUnusable."""
        self._path = path
        self._tls = tls
        self._stamp = self._stamped()
        self._refused: _Stamp | None = None
        try:
            self.chain = read_chain(tls)
        except ChainUnusable as fault:
            raise TlsUnusable(f"{path}.{fault}") from None

    def renewed(self) -> bool:
        """Read the files if they changed; tell whether `chain` is another one now. Costs a stat a file."""
        stamp = self._stamped()
        if stamp in {self._stamp, self._refused}:
            return False
        try:
            chain = read_chain(self._tls)
        except ChainUnusable as fault:
            self._refused = stamp
            _log.warning(
                "a certificate changed and cannot be used: the one before stays",
                extra={"listener": self._path, "why": str(fault)},
            )
            return False
        is_other = chain != self.chain
        self._stamp, self.chain = stamp, chain
        if is_other:
            _log.info("a certificate was read again", extra={"listener": self._path})
        return is_other

    def for_grpc(self) -> grpc.ServerCredentials:
        """Return credentials that ask for the certificate at each handshake."""
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self.chain),
            self._fetch,  # type: ignore[arg-type]  # None means the same one, which the stubs leave out
            require_client_authentication=bool(self.chain.client_ca),
        )

    def for_http(self) -> ssl.SSLContext:
        """Return a context that hands each handshake the one of the day; raise TlsUnusable."""
        try:
            current = self._context()
        except (ssl.SSLError, OSError) as fault:
            raise TlsUnusable(f"{self._path} cannot be used: {type(fault).__name__}") from None
        door = self._context()

        def choose(
            handshake: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _door: ssl.SSLContext
        ) -> None:
            nonlocal current
            if self.renewed():
                try:
                    current = self._context()
                except (ssl.SSLError, OSError):
                    _log.warning("a certificate changed while it was read", extra={"listener": self._path})
            handshake.context = current

        door.sni_callback = choose
        return door

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Return a new certificate, None for the same one; gRPC asks on a thread of its own."""
        return _configuration(self.chain) if self.renewed() else None

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        is_modern = self._tls.profile == "modern"
        context.minimum_version = ssl.TLSVersion.TLSv1_3 if is_modern else ssl.TLSVersion.TLSv1_2
        context.set_ciphers(SUITES)
        context.load_cert_chain(self._tls.certificate_file, self._tls.key_file)
        if self.chain.client_ca is not None:
            context.load_verify_locations(cadata=self.chain.client_ca.decode("ascii"))
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _stamped(self) -> _Stamp:
        found: list[tuple[int, ...]] = []
        for file in self._tls.files.values():
            try:
                facts = os.stat(file)  # noqa: PTH116 - a path object for each handshake would cost more than it says
            except OSError:
                found.append(())
            else:
                # Also who may read it: a key that others could read is refused until that is mended.
                about = facts.st_mode, facts.st_uid, facts.st_gid
                found.append((facts.st_ino, facts.st_mtime_ns, facts.st_size, *about))
        return tuple(found)


def _configuration(chain: Chain) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(chain.key, chain.certificate)], chain.client_ca)
