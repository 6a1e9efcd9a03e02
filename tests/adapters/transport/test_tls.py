"""TLS to a provider: whom we trust, and whom we say we are. Certificates are made for each test."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from giftcard_adapters.engine import Engine, PoolLimits, Tls
from giftcard_adapters.transport import open_transport
from tests.adapters.transport.wire import OK, Line, keep, post, serve
from tests.patience import PATIENCE_S

NOW = dt.datetime.now(dt.UTC)


class Authority:
    """Signs certificates, and keeps them as files in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        self.file = self._write("ca", self._sign(self._name, self._key, constraint))

    def issue(self, host: str) -> Path:
        """Return a file with a certificate for a host, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(name, key, x509.SubjectAlternativeName([x509.DNSName(host)]))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._write(host, certificate, secret)

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=NOW - dt.timedelta(days=1),
            not_valid_after=NOW + dt.timedelta(days=1),
        )
        return builder.add_extension(extension, critical=False).sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate, secret: bytes = b"") -> Path:
        file = self._folder / f"{name}.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
        return file


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    """Make the authority both sides trust."""
    return Authority(tmp_path / "ours")


def serving(certificate: Path, trusted_clients: Path | None = None) -> ssl.SSLContext:
    """Make a server's side of TLS, which asks for a client's certificate if it trusts some."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    if trusted_clients:
        context.load_verify_locations(trusted_clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def answer_once(line: Line) -> None:
    """Answer one request."""
    await line.hear()
    await line.say(OK)


async def exchange(engine: Engine, tls: Tls, url: str) -> int:
    """Open a transport, make one exchange through it, and return the status."""
    transport = open_transport(engine=engine, limits=PoolLimits(connections=1), tls=tls)
    try:
        request = httpx.Request(
            "POST", url, content=b"{}", extensions={"timeout": httpx.Timeout(PATIENCE_S).as_dict()}
        )
        answer = await transport.handle_async_request(request)
        await answer.aread()
        await answer.aclose()
        return answer.status_code
    finally:
        await transport.aclose()


async def test_own_authority(engine: Engine, ours: Authority) -> None:
    """A provider whose certificate our CA file vouches for is spoken to."""
    async with serve(answer_once, serving(ours.issue("localhost"))) as wire:
        assert await exchange(engine, Tls(ca_file=str(ours.file)), wire.url) == 200


async def test_kept(ours: Authority) -> None:
    """A connection with TLS is used again: the session tickets behind its handshake spoil nothing."""
    transport = open_transport(tls=Tls(ca_file=str(ours.file)))
    async with serve(keep, serving(ours.issue("localhost"))) as wire:
        for _ in range(3):
            assert (await post(transport, wire.url)).content == b"ok"
        assert wire.connections == 1
        await transport.aclose()


async def test_stranger(engine: Engine, ours: Authority, tmp_path: Path) -> None:
    """A provider nobody vouches for is never sent anything."""
    theirs = Authority(tmp_path / "theirs")
    async with serve(answer_once, serving(theirs.issue("localhost"))) as wire:
        with pytest.raises(httpx.ConnectError):
            await exchange(engine, Tls(ca_file=str(ours.file)), wire.url)


async def test_other_host(engine: Engine, ours: Authority) -> None:
    """A certificate for another host is refused, and nothing is sent."""
    async with serve(answer_once, serving(ours.issue("elsewhere.example"))) as wire:
        with pytest.raises(httpx.ConnectError):
            await exchange(engine, Tls(ca_file=str(ours.file)), wire.url)


async def test_plain_server(engine: Engine, ours: Authority) -> None:
    """A server that speaks no TLS is ConnectError: the request was never written."""

    async def script(line: Line) -> None:
        await line.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serve(script) as wire:
        with pytest.raises(httpx.ConnectError):
            await exchange(engine, Tls(ca_file=str(ours.file)), wire.url.replace("http:", "https:"))


async def test_hang_up_in_handshake(engine: Engine, ours: Authority) -> None:
    """A server that hangs up in the handshake is ConnectError."""

    async def script(_: Line) -> None:
        return

    async with serve(script) as wire:
        with pytest.raises(httpx.ConnectError):
            await exchange(engine, Tls(ca_file=str(ours.file)), wire.url.replace("http:", "https:"))


async def test_client_certificate(engine: Engine, ours: Authority) -> None:
    """A provider that wants to know us is shown our certificate."""
    tls = Tls(ca_file=str(ours.file), certificate_file=str(ours.issue("gateway.example")))
    async with serve(answer_once, serving(ours.issue("localhost"), ours.file)) as wire:
        assert await exchange(engine, tls, wire.url) == 200


async def test_no_client_certificate(engine: Engine, ours: Authority) -> None:
    """Without it the call fails; under TLS 1.3 our request is on its way by then, so not as never sent."""
    async with serve(answer_once, serving(ours.issue("localhost"), ours.file)) as wire:
        with pytest.raises(httpx.TransportError) as caught:
            await exchange(engine, Tls(ca_file=str(ours.file)), wire.url)
    assert type(caught.value) in {httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError}


def test_unreadable_file() -> None:
    """A TLS file that is not there is an OSError when the transport is opened, not later."""
    with pytest.raises(OSError, match="No such file"):
        open_transport(tls=Tls(ca_file="nowhere.pem"))
