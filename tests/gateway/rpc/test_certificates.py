"""A listener's certificate and its renewal: what a handshake gets after the files changed."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from aiohttp import web

from giftcard_gateway.config.tls import ListenerTls
from giftcard_gateway.rpc.certificates import Certificates, TlsUnusable
from tests.world.certificates import Authority, Files


def listening(files: Files, authority: Authority | None = None) -> ListenerTls:
    """Return the settings of a listener."""
    return ListenerTls(
        certificate_file=str(files.certificate),
        key_file=str(files.key),
        client_ca_file=str(authority.file) if authority else None,
    )


def test_a_changed_certificate_is_read_again(tmp_path: Path) -> None:
    """Files that did not change are not read; those that did are, once."""
    authority = Authority(tmp_path)
    certificates = Certificates("server.tls", listening(authority.issue("server", "localhost")))
    first = certificates.chain
    assert not certificates.renewed()
    authority.issue("server", "localhost")
    assert certificates.renewed()
    assert certificates.chain != first
    assert not certificates.renewed()
    assert "BEGIN" not in repr(certificates.chain)


def test_half_a_rotation_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the key is new and the certificate old the pair before stays, and it is said once."""
    authority = Authority(tmp_path)
    files = authority.issue("server", "localhost")
    certificates = Certificates("server.tls", listening(files))
    first, other = certificates.chain, authority.issue("other", "localhost")
    files.key.write_bytes(other.key.read_bytes())
    for _ in range(3):
        assert not certificates.renewed()
    assert certificates.chain == first
    assert [line.message for line in caplog.records] == [
        "a certificate changed and cannot be used: the one before stays"
    ]
    files.certificate.unlink()
    assert not certificates.renewed()
    files.certificate.write_bytes(other.certificate.read_bytes())
    assert certificates.renewed()


def test_what_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    """A listener without a certificate says which file is wrong."""
    files = Files(tmp_path / "no.pem", tmp_path / "no.key")
    with pytest.raises(TlsUnusable, match=r"server\.tls\.certificate_file names a file that cannot be read"):
        Certificates("server.tls", listening(files))


async def _status(port: int, trusted: Authority, shown: Files | None) -> str:
    """Make a request over TLS and return the answer's first line, or the fault's name."""
    context = ssl.create_default_context(cafile=str(trusted.file))
    if shown:
        context.load_cert_chain(shown.certificate, shown.key)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        line = await reader.readline()
        writer.close()
    except OSError as fault:
        return type(fault).__name__
    return line.decode().strip()


async def test_the_http_port_renews_certificate_and_authorities(tmp_path: Path) -> None:
    """A new certificate and another authority of callers hold from the next handshake on."""
    (tmp_path / "second").mkdir()
    ours, first = Authority(tmp_path), Authority(tmp_path, "first")
    second = Authority(tmp_path / "second", "second")
    server, one, two = (
        ours.issue("server", "127.0.0.1"),
        first.issue("one", "one"),
        second.issue("two", "two"),
    )
    runner = web.ServerRunner(web.Server(_hello))
    await runner.setup()
    door = Certificates("webhooks.tls", listening(server, first)).for_http()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=door).start()
    port = int(runner.addresses[0][1])
    try:
        assert await _status(port, ours, one) == "HTTP/1.0 200 OK"
        assert "200" not in await _status(port, ours, two)
        assert "200" not in await _status(port, ours, None)
        first.file.write_bytes(second.file.read_bytes())
        Authority(tmp_path, "authority").issue("server", "127.0.0.1")
        assert await _status(port, Authority(tmp_path, "nobody"), two) == "SSLCertVerificationError"
        again = Authority(tmp_path, "authority")
        again.issue("server", "127.0.0.1")
        assert await _status(port, again, two) == "HTTP/1.0 200 OK"
        assert "200" not in await _status(port, again, one)
    finally:
        await runner.cleanup()


async def _hello(_: web.BaseRequest) -> web.Response:
    return web.Response()
